"""Another arithmetic is taken where it is measured to be faster and to see the same, and nowhere else."""

import pytest
import torch

from im2latex import precision
from im2latex.bundle import load_bundle, save_bundle
from im2latex.decoding import Decoder
from im2latex.images import ImageSpec
from im2latex.precision import quicken
from im2latex.predictor import Predictor
from im2latex.tests.small_models import SMALL
from im2latex.tests.test_decoding import IMAGES, SIZES
from im2latex.tests.test_grammar import GRAMMAR, TOKENIZER
from im2latex.tests.tiny_decoder import TinyDecoder

DOUBLE = torch.float64
"""Stands for bfloat16, which takes minutes where it is not at home."""


@pytest.fixture
def path(tmp_path):
    torch.manual_seed(0)
    save_bundle(tmp_path / "m.pt", Decoder(SIZES.build(len(TOKENIZER)), 40, GRAMMAR), TOKENIZER, ImageSpec(), {})
    return tmp_path / "m.pt"


@pytest.fixture
def decoder(path):
    return load_bundle(path).decoder


def claim(monkeypatch, *seconds, noise=0.0):
    """Let the first measurement take so long, and the second so long, with noise in what it sees."""
    measure, claims = precision.measure_trunk, iter([(seconds[0], 0.0), (seconds[1], noise)])

    def measured(trunk):
        features, (told, added) = measure(trunk)[0], next(claims)
        return features + added * torch.randn_like(features), told

    monkeypatch.setattr(precision, "measure_trunk", measured)


def test_a_faster_arithmetic_is_taken_and_reads_the_same(decoder, monkeypatch):
    wanted_ids, wanted = decoder(IMAGES)
    claim(monkeypatch, 1.3, 1.0)
    assert quicken(decoder, DOUBLE)
    assert {weight.dtype for weight in decoder.model.trunk.parameters()} == {DOUBLE}
    found_ids, found = decoder(IMAGES)
    assert torch.equal(found_ids, wanted_ids)
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)
    assert decoder.attend(IMAGES, found_ids).dtype == decoder.features(IMAGES).dtype == torch.float32


@pytest.mark.parametrize(("seconds", "noise"), [((1.2, 1.0), 0.0), ((9.0, 1.0), 1.0), ((9.0, 1.0), float("nan"))])
def test_what_gains_little_or_sees_something_else_is_left(decoder, monkeypatch, seconds, noise):
    before = {name: weight.clone() for name, weight in decoder.state_dict().items()}
    claim(monkeypatch, *seconds, noise=noise)
    assert not quicken(decoder, DOUBLE)
    after = decoder.state_dict()
    for name, weight in before.items():
        torch.testing.assert_close(after[name], weight, atol=0, rtol=0)


@pytest.mark.parametrize("decoder", [TinyDecoder(), Decoder(SMALL["cnn_gru"].build(len(TOKENIZER)), 9, GRAMMAR)])
def test_a_model_without_such_a_trunk_is_left(decoder):
    assert not quicken(decoder, DOUBLE)


def test_it_is_tried_only_where_the_processor_has_it(path, monkeypatch):
    tried = []
    monkeypatch.setattr("im2latex.predictor.quicken", tried.append)
    for has_it in (False, True):
        monkeypatch.setattr("im2latex.predictor.has_amx", lambda has_it=has_it: has_it)
        Predictor.load(path)
        assert len(tried) == has_it
