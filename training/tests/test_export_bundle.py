"""Export writes a bundle only when it reads what the model reads, and says where it comes from."""

import copy
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from im2latex.bundle import Bundle, load_bundle, save_bundle
from im2latex.decoding import Decoder
from im2latex.errors import BundleError
from im2latex.images import ImageSpec
from im2latex.latex.grammar import Grammar
from im2latex.lit_model import LitModel
from im2latex.models import ResNetTransformerConfig
from im2latex.optimizers import OptimizerConfig
from im2latex.predictor import Predictor
from im2latex.tests.packed_sets import make_packed_set
from im2latex.tests.test_images import OFFICIAL
from im2latex.tests.tiny_decoder import TOKENIZER, TinyDecoder
from im2latex.tokenizer import EOS, PAD
from training import export_bundle
from training.export_bundle import main, prove_equal, prove_guesses_cost_nothing, prove_same_tokens

SPEC = ImageSpec(margin=6)
GRAMMAR = Grammar.of(TOKENIZER.vocab, EOS, PAD)
SIZES = ResNetTransformerConfig((1, 1, 1), d_model=32, heads=4, decoder_layers=1, feedforward=32, max_tokens=8)


def save_checkpoint(
    path: Path, seed: int = 0, vocab: Sequence[str] = TOKENIZER.vocab, spec: ImageSpec = SPEC
) -> LitModel:
    torch.manual_seed(seed)
    module = LitModel(SIZES, OptimizerConfig(), list(vocab), spec)
    torch.save({"hyper_parameters": dict(module.hparams), "state_dict": module.state_dict()}, path)
    return module


@pytest.fixture
def files(tmp_path):
    save_checkpoint(tmp_path / "best.ckpt")
    (tmp_path / "golden").mkdir()
    OFFICIAL.save(tmp_path / "golden" / "a.png")
    OFFICIAL.resize((200, 40)).save(tmp_path / "golden" / "b.png")
    return tmp_path


def run(files, *flags: str) -> int:
    images = [] if "--images" in flags else ["--images", str(files / "golden")]
    return main(["--checkpoint", str(files / "best.ckpt"), "--out", str(files / "model.pt"), *images, *flags])


def test_a_checkpoint_becomes_a_bundle_that_reads_pictures(files, capsys):
    assert run(files, "--name", "tiny", "--trained_on", "nothing") == 0
    bundle = load_bundle(files / "model.pt")
    assert bundle.tokenizer.vocab == TOKENIZER.vocab
    assert bundle.spec == SPEC
    assert bundle.facts["name"] == "tiny"
    assert bundle.facts["trained_on"] == "nothing"
    assert bundle.facts["model"]["d_model"] == 32
    assert bundle.facts["commit"]
    assert 0 <= Predictor.load(files / "model.pt").predict(OFFICIAL).confidence <= 1
    assert "scripted = eager" in capsys.readouterr().out


def test_tokens_that_the_grammar_never_writes_are_named(files, capsys):
    save_checkpoint(files / "best.ckpt", vocab=[*TOKENIZER.vocab, r"\undefined"])
    assert run(files) == 0
    assert r"does not know them: \undefined" in capsys.readouterr().out


def test_of_several_checkpoints_the_mean_is_exported(files):
    modules = [save_checkpoint(files / name, seed) for seed, name in enumerate(("best.ckpt", "b.ckpt", "c.ckpt"))]
    assert run(files, "--also", json.dumps([str(files / "b.ckpt"), str(files / "c.ckpt")])) == 0
    found = dict(load_bundle(files / "model.pt").decoder.named_parameters())
    wanted = torch.stack([module.model.embedding.weight for module in modules]).mean(0)
    torch.testing.assert_close(found["model.embedding.weight"], wanted.bfloat16().float())


def test_a_bundle_counts_in_the_mean_as_a_checkpoint_does_for_the_tokens_that_it_knows(files):
    assert run(files) == 0
    known = dict(load_bundle((files / "model.pt").rename(files / "before.pt")).decoder.named_parameters())
    own = save_checkpoint(files / "best.ckpt", seed=1, vocab=[*TOKENIZER.vocab, "new"]).model.embedding.weight
    assert run(files, "--also", json.dumps([str(files / "before.pt")] * 2)) == 0
    found = dict(load_bundle(files / "model.pt").decoder.named_parameters())["model.embedding.weight"]
    wanted = torch.cat([(2 * known["model.embedding.weight"] + own[:-1]) / 3, own[-1:]])
    torch.testing.assert_close(found, wanted.bfloat16().float())


@pytest.mark.parametrize("name", ["b.ckpt", "model.pt"])
@pytest.mark.parametrize("other", [{"vocab": [*TOKENIZER.vocab, "new"]}, {"spec": ImageSpec(margin=9)}])
def test_checkpoints_and_bundles_of_another_model_have_no_mean(files, capsys, other, name):
    save_checkpoint(files / "b.ckpt", **other)
    assert run(files, "--checkpoint", str(files / "b.ckpt")) == 0
    assert run(files, "--also", json.dumps([str(files / name)])) == 1
    assert f"{name}: another model, pixels or tokens" in capsys.readouterr().err


def test_scores_are_recorded_without_commands_and_paths(files):
    scores = {"bleu": 83.5, "edit_score": 86.0}
    told = {"set": "val", "formulas": 9, "beam": 1, "references": "canonical", "scores": scores, "commit": "abc"}
    (files / "scores.json").write_text(json.dumps({**told, "command": "python /home/someone"}))
    assert run(files, "--scores", json.dumps([str(files / "scores.json")])) == 0
    assert load_bundle(files / "model.pt").facts["scores"] == [told]


def test_golden_pictures_default_to_the_small_data_set(files, monkeypatch):
    make_packed_set(files / "small" / "val", samples=3)
    monkeypatch.setattr(export_bundle, "SMALL", str(files / "small"))
    arguments = ["--checkpoint", str(files / "best.ckpt"), "--out", str(files / "model.pt")]
    assert main(arguments) == 0


def test_a_larger_set_is_checked_when_asked(files, capsys):
    make_packed_set(files / "set", samples=5)
    assert run(files, "--check_on", str(files / "set"), "--check_limit", "4") == 0
    assert "scripted = eager on" in capsys.readouterr().out


def test_pictures_that_are_read_otherwise_are_counted():
    images = [torch.full((1, 16, 16), ink) for ink in (0.1, 0.2, 0.9)]
    bundle = Bundle(TinyDecoder(0.5), TOKENIZER, SPEC, {})
    prove_same_tokens(bundle, TinyDecoder(0.6), images)
    with pytest.raises(BundleError, match="in 2 of 3 pictures"):
        prove_same_tokens(bundle, TinyDecoder(0.05), images)


def test_a_bundle_that_reads_other_tokens_is_not_written(files, monkeypatch, capsys):
    def save_another(path, decoder, *rest, **named):
        another = copy.deepcopy(decoder)
        torch.nn.init.normal_(another.model.embedding.weight)
        save_bundle(path, another, *rest, **named)

    monkeypatch.setattr(export_bundle, "save_bundle", save_another)
    assert run(files) == 1
    assert "golden picture 1, beam 1" in capsys.readouterr().err
    assert sorted(path.name for path in files.iterdir()) == ["best.ckpt", "golden"]


def test_a_draft_that_changes_what_is_read_is_noticed():
    class Misread:
        def read(self, decoder, image, first):
            yield [4, EOS], [-0.1, -0.1]

    predictor = Predictor(Bundle(Decoder(SIZES.build(len(TOKENIZER)), 8, GRAMMAR).eval(), TOKENIZER, SPEC, {}))
    predictor.draft = Misread()
    with pytest.raises(BundleError, match="golden picture 1: with guesses"):
        prove_guesses_cost_nothing(predictor, predictor.bundle.decoder, [torch.rand(1, 40, 64)])


def test_a_bundle_too_large_for_the_repository_is_not_written(files, capsys):
    assert run(files, "--max_megabytes", "0.001") == 1
    assert "wanted at most 0.001" in capsys.readouterr().err
    assert not (files / "model.pt").exists()


def test_other_probabilities_are_noticed_though_the_tokens_agree():
    class Surer(TinyDecoder):
        def forward(self, images, beam: int = 1):
            token_ids, log_probs = super().forward(images, beam)
            return token_ids, log_probs / 2

    with pytest.raises(BundleError, match="log-probabilities differ"):
        prove_equal(TinyDecoder(), Surer(), [torch.zeros(1, 16, 16)])


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--images", "nowhere"], "holds no pictures"),
        (["--scores", '["nowhere.json"]'], "is no scores.json"),
        (["--checkpoint", "nowhere.ckpt"], "nowhere.ckpt"),
    ],
)
def test_what_is_missing_is_named(files, capsys, flags, message):
    assert run(files, *flags) == 1
    assert message in capsys.readouterr().err
