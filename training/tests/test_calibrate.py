"""Calibration reads labelled pictures, says how far confidences are from what comes true, and keeps it in a bundle."""

import pytest
import torch

from im2latex.bundle import load_bundle, save_bundle
from im2latex.decoding import Decoder
from im2latex.images import ImageSpec
from im2latex.latex.grammar import Grammar
from im2latex.models import ResNetTransformerConfig
from im2latex.predictor import Predictor
from im2latex.tests.packed_sets import make_packed_set
from im2latex.tests.test_images import OFFICIAL
from im2latex.tests.tiny_decoder import TOKENIZER
from im2latex.tokenizer import EOS, PAD
from training.calibrate import Outcomes, judge, main, right_tokens

SIZES = ResNetTransformerConfig((1, 1, 1), d_model=32, heads=4, decoder_layers=1, feedforward=32, max_tokens=8)


@pytest.fixture
def files(tmp_path):
    torch.manual_seed(0)
    decoder = Decoder(SIZES.build(len(TOKENIZER)), 8, Grammar.of(TOKENIZER.vocab, EOS, PAD))
    save_bundle(tmp_path / "model.pt", decoder, TOKENIZER, ImageSpec(), {"name": "tiny"})
    make_packed_set(tmp_path / "val", samples=6)
    return tmp_path


def test_a_bundle_is_calibrated_in_place_and_its_curve_drawn(files, capsys):
    model, plot = files / "model.pt", files / "docs" / "curve.png"
    flags = ["--bundle", str(model), "--out", str(model), "--data", str(files / "val"), "--plot", str(plot)]
    assert main(flags) == 0
    assert "6 formulas, 0 right; expected calibration error" in capsys.readouterr().out
    assert load_bundle(model).calibration is not None
    assert load_bundle(model).facts["name"] == "tiny"
    assert Predictor.load(model).predict(OFFICIAL).confidence < 0.3  # it was never right
    assert plot.stat().st_size > 1000


def test_no_formula_helps_to_judge_itself():
    logs = [[-0.1 * place, -0.2] for place in range(12)]
    tokens = [[(log_prob, place < 6) for log_prob in formula] for place, formula in enumerate(logs)]
    are_right = [place < 6 for place in range(12)]
    lied = [right != (place == 3) for place, right in enumerate(are_right)]
    first, second = (judge(Outcomes(logs, truth, tokens)) for truth in (are_right, lied))
    assert first[0][3] == second[0][3]
    assert first[0][8] == second[0][8]  # of the same fifth
    assert first[0][4] > second[0][4]
    assert len(first[1]) == 24


def test_a_token_is_right_when_it_has_its_match_in_order():
    assert right_tokens(["a", "b", "x", "c"], ["a", "b", "c", "d"]) == [True, True, False, True]


def test_without_pictures_there_is_nothing_to_calibrate_on(files, capsys):
    assert main(["--bundle", str(files / "model.pt"), "--out", str(files / "other.pt")]) == 1
    assert "name --images and --labels, or --data" in capsys.readouterr().err
    assert not (files / "other.pt").exists()
