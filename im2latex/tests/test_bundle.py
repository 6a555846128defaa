"""A bundle gives back the very decoder that went in, small on disk, and refuses everything else."""

import warnings
import zipfile

import pytest
import torch
from torch import nn

from im2latex import bundle
from im2latex.bundle import load_bundle, round_weights, save_bundle
from im2latex.calibration import Calibration
from im2latex.decoding import Decoder
from im2latex.errors import BundleError
from im2latex.images import ImageSpec
from im2latex.latex.grammar import Grammar
from im2latex.models import ResNetTransformerConfig
from im2latex.tests.tiny_decoder import TOKENIZER, TinyDecoder
from im2latex.tokenizer import EOS, PAD, Tokenizer

SPEC = ImageSpec(margin=5)
SMALL = ResNetTransformerConfig((1, 1, 1), d_model=32, heads=4, decoder_layers=2, feedforward=64, max_tokens=12)


@pytest.fixture
def decoder() -> Decoder:
    torch.manual_seed(0)
    return Decoder(SMALL.build(len(TOKENIZER)), SMALL.max_tokens, Grammar.of(TOKENIZER.vocab, EOS, PAD)).eval()


@pytest.fixture
def path(tmp_path, decoder):
    save_bundle(tmp_path / "new" / "model.pt", decoder, TOKENIZER, SPEC, {"commit": "abc", "scores": {"bleu": 1.5}})
    return tmp_path / "new" / "model.pt"


@pytest.mark.parametrize("beam", [1, 3])
def test_a_loaded_bundle_reads_what_the_rounded_decoder_reads(path, decoder, beam):
    images = torch.rand(2, 1, 32, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        token_ids, log_probs = round_weights(decoder)(images, beam)
        found_ids, found_log_probs = load_bundle(path).decoder(images, beam)
    assert torch.equal(found_ids, token_ids)
    torch.testing.assert_close(found_log_probs, log_probs)


def test_vocabulary_spec_and_facts_travel_with_the_weights(path, decoder):
    found = load_bundle(path)
    assert found.tokenizer.vocab == TOKENIZER.vocab
    assert found.spec == SPEC
    parameters = sum(weight.numel() for weight in decoder.parameters())
    assert found.facts == {
        "parameters": parameters, "vocabulary": len(TOKENIZER), "commit": "abc", "scores": {"bleu": 1.5}
    }  # fmt: skip


def test_weights_take_two_bytes_on_disk_and_are_float32_when_loaded(path, tmp_path):
    wide = nn.Linear(400, 400)
    torch.nn.init.uniform_(wide.weight)

    class Wide(TinyDecoder):
        def __init__(self) -> None:
            super().__init__()
            self.wide = wide

    save_bundle(tmp_path / "wide.pt", Wide(), TOKENIZER, SPEC, {})
    assert 2 * 400 * 400 < (tmp_path / "wide.pt").stat().st_size < 2.5 * 400 * 400
    assert {weight.dtype for weight in load_bundle(path).decoder.parameters()} == {torch.float32}


def test_a_calibration_travels_with_a_bundle_that_is_saved_again(path, tmp_path):
    first, calibration = load_bundle(path), Calibration((0.5, 2.0), (1.0, 0.0, 0.5, -1.0, 0.25))
    save_bundle(tmp_path / "again.pt", first.decoder, first.tokenizer, first.spec, first.facts, calibration)
    again = load_bundle(tmp_path / "again.pt")
    assert (first.calibration, again.calibration, again.facts) == (None, calibration, first.facts)
    weights = again.decoder.state_dict()
    assert all(torch.equal(weight, weights[name]) for name, weight in first.decoder.state_dict().items())


def test_saving_leaves_the_decoder_as_it_was(decoder, tmp_path):
    before = {name: weight.clone() for name, weight in decoder.state_dict().items()}
    decoder.train()
    save_bundle(tmp_path / "model.pt", decoder, TOKENIZER, SPEC, {})
    assert decoder.training
    assert all(torch.equal(weight, before[name]) for name, weight in decoder.state_dict().items())


def test_a_decoder_that_torchscript_cannot_express_leaves_no_file(tmp_path):
    class Unscriptable(TinyDecoder):
        def forward(self, images, beam: int = 1):
            return __import__("os").environ, images

    with pytest.raises(BundleError, match="cannot express Unscriptable"):
        save_bundle(tmp_path / "model.pt", Unscriptable(), TOKENIZER, SPEC, {})
    assert not list(tmp_path.iterdir())


def test_a_missing_bundle_says_what_to_do(tmp_path):
    with pytest.raises(BundleError, match=r"no model file .*--bundle"):
        load_bundle(tmp_path / "none.pt")


@pytest.mark.parametrize("damage", ["empty", "text", "cut", "checkpoint"])
def test_a_damaged_bundle_is_refused(path, damage):
    whole = path.read_bytes()
    if damage == "checkpoint":
        torch.save({"state_dict": {}}, path)
    else:
        path.write_bytes({"empty": b"", "text": b"not a model", "cut": whole[: len(whole) // 2]}[damage])
    with pytest.raises(BundleError, match=r"model.pt is damaged or no model file"):
        load_bundle(path)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_weight_that_is_not_what_was_written_is_noticed(path, tmp_path):
    with zipfile.ZipFile(path) as archive:
        weights = max(archive.infolist(), key=lambda entry: entry.file_size * ("/data/" in entry.filename))
        content = archive.read(weights)
    data = bytearray(path.read_bytes())
    data[data.index(content) + 1] ^= 0x40
    (tmp_path / "model.pt").write_bytes(data)
    with pytest.raises(BundleError, match=r"model.pt is damaged: .*/data/"):
        load_bundle(tmp_path / "model.pt")


@pytest.mark.parametrize("settings", [{"spec": []}, {"spec": {"unknown": 1}}, {"vocab": None}, {"calibration": [1]}])
def test_settings_of_another_kind_are_refused(path, monkeypatch, settings):
    read = bundle._read_entry
    monkeypatch.setattr(bundle, "_read_entry", lambda name, text: {**read(name, text), **settings})
    with pytest.raises(BundleError, match="has settings that this im2latex cannot read"):
        load_bundle(path)


def test_torchscript_of_another_program_is_refused(tmp_path):
    torch.jit.save(torch.jit.script(nn.Linear(2, 2)), str(tmp_path / "other.pt"))
    with pytest.raises(BundleError, match="not written by im2latex"):
        load_bundle(tmp_path / "other.pt")


def test_a_bundle_of_another_format_is_refused_with_both_versions(path, monkeypatch):
    monkeypatch.setattr(bundle, "FORMAT", 2)
    with pytest.raises(BundleError, match="has format 1, this im2latex reads 2"):
        load_bundle(path)


def test_the_facts_can_be_read_without_this_library(path):
    with zipfile.ZipFile(path) as archive:
        (entry,) = (name for name in archive.namelist() if name.endswith("extra/" + bundle.ENTRY))
        assert b'"commit": "abc"' in archive.read(entry)


def test_users_are_not_told_that_torchscript_is_old(path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_bundle(path)


def test_a_vocabulary_without_its_specials_is_refused():
    with pytest.raises(BundleError):
        Tokenizer(["x"])
