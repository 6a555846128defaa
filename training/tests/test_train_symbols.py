"""Training of symbol networks: it learns, goes on where it stopped, tells what it reached, and writes a bundle."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from im2latex.bundle import load_symbols
from im2latex.data.symbols import read_symbols
from im2latex.errors import DataError
from im2latex.symbol_reader import SymbolReader
from im2latex.tests.symbol_sets import draw_symbol, make_symbol_set
from training import calibrate_symbols
from training.lit_symbols import LitSymbols
from training.symbol_pictures import count_confusions, read_curves
from training.symbol_scores import accuracy, cross_validate, fit_scaling
from training.train_symbols import main

SHORT = ["--batch_size=8", "--batches_per_epoch=2", "--epochs=2", "--optimizer.warmup_steps=1"]


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> str:
    return str(make_symbol_set(tmp_path_factory.mktemp("data") / "set", each=12))


@pytest.fixture(scope="module")
def learned(data, tmp_path_factory) -> Path:
    """The run of a network that had time to learn."""
    out = Path(tmp_path_factory.mktemp("runs")) / "best"
    flags = ["--batch_size=16", "--batches_per_epoch=25", "--epochs=2", "--optimizer.ema_decay=0.8"]
    assert main(["--data", data, "--out", str(out), "--optimizer.warmup_steps=2", *flags]) == 0
    return out


def test_a_net_learns_and_tells_what_it_reached(learned):
    scores = json.loads((learned / "scores.json").read_text())
    assert scores["accuracy"] >= 90  # of three classes
    assert scores["accuracy_among_six"] == 100
    assert (scores["symbols"], scores["classes"]) == (36, 3)
    assert {"command", "commit", "parameters", "temperature", "accuracy_of_network"} <= scores.keys()
    assert json.loads((learned / "config.json").read_text())["optimizer"]["label_smoothing"] == 0.1


def test_its_bundle_names_symbols_as_the_checkpoint_does(learned):
    bundle = load_symbols(learned / "bundle.pt")
    module = LitSymbols.load(learned / "last.ckpt")
    images = torch.rand(4, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    biases = bundle.classifier.biases
    wanted = torch.softmax(module(images) / bundle.facts["temperature"] + biases, dim=1)
    torch.testing.assert_close(bundle.classifier(images), wanted, atol=0.02, rtol=0)  # weights are kept in 16 bits
    assert bundle.classes == ("-", "+", "=")
    assert SymbolReader(bundle).read(draw_symbol("+", 200, 12))[0].latex == "+"


def test_it_leaves_curves_samples_and_confusions_to_look_at(learned):
    for name in ("curves.png", "samples.png", "confusions.png"):
        assert Image.open(learned / name).width > 400
    assert [epoch for epoch, _ in read_curves(learned)["val/accuracy"]] == [1, 2]


def test_a_run_that_stopped_goes_on_as_if_it_had_not(data, tmp_path):
    def weights(name, *flags):
        total = "--optimizer.total_steps=4"
        assert main(["--data", data, "--out", str(tmp_path / name), "--limit=24", *SHORT, total, *flags]) == 0
        return LitSymbols.load(tmp_path / name / "last.ckpt").state_dict()

    whole = weights("whole")
    weights("stopped", "--epochs=1")
    resumed = weights("stopped", "--resume=true")
    assert all(torch.equal(weight, whole[name]) for name, weight in resumed.items())
    assert [epoch for epoch, _ in read_curves(tmp_path / "stopped")["val/loss"]] == [1, 2]


def test_a_second_training_in_one_folder_is_refused_but_for_resume(data, tmp_path, capsys):
    flags = ["--data", data, "--out", str(tmp_path)]
    (tmp_path / "last.ckpt").write_bytes(b"no")
    assert main(flags) == 1
    assert "holds last.ckpt of an earlier run: --resume true to go on, or another --out" in capsys.readouterr().err
    assert main([*flags, "--resume=true", *SHORT]) == 1
    assert f"{tmp_path / 'last.ckpt'} is missing, or no checkpoint" in capsys.readouterr().err


def test_curves_of_many_resumptions_keep_their_order(tmp_path):
    for number in (0, 2, 10):
        (tmp_path / f"logs_{number}").mkdir()
        (tmp_path / f"logs_{number}" / "metrics.csv").write_text(f"epoch,step,val/loss\n{number},7,1.5\n")
    assert [epoch for epoch, _ in read_curves(tmp_path)["val/loss"]] == [1, 3, 11]


@pytest.mark.parametrize("net", ["dense_binary", "cnn_binary"])
def test_binary_nets_tell_one_class_from_all_others(data, tmp_path, net):
    assert main(["--data", data, "--out", str(tmp_path), f"--net={net}", "--only=+", *SHORT]) == 0
    assert LitSymbols.load(tmp_path / "last.ckpt").classes == ("other", "+")
    assert not (tmp_path / "bundle.pt").exists()


def test_the_notebooks_net_is_trained_as_the_notebook_did(data, tmp_path):
    assert main(["--data", data, "--out", str(tmp_path), "--net=notebook", *SHORT]) == 0
    assert LitSymbols.load(tmp_path / "last.ckpt").optimizer_config.label_smoothing == 0


def test_data_that_is_not_there_is_a_message_and_exit_code_1(tmp_path, capsys):
    assert main(["--data", str(tmp_path / "none"), "--out", str(tmp_path / "run")]) == 1
    assert "error: none is no set of symbols" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_an_unknown_flag_stops_the_run(data, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["--data", data, "--out", str(tmp_path), "--width=3"])
    assert "width" in capsys.readouterr().err


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path):
    (tmp_path / "last.ckpt").write_bytes(b"no")
    with pytest.raises(DataError, match=r"last\.ckpt is no checkpoint"):
        LitSymbols.load(tmp_path / "last.ckpt")


PROBABILITIES = torch.tensor([[0.6, 0.3, 0.1], [0.5, 0.4, 0.1], [0.2, 0.1, 0.7], [0.5, 0.2, 0.3]])
LABELS = torch.tensor([0, 1, 2, 1])


@pytest.mark.parametrize(("among", "percent"), [(1, 50), (2, 75), (3, 100), (6, 100)])
def test_accuracy_is_the_percent_of_symbols_among_the_first_guesses(among, percent):
    assert accuracy(PROBABILITIES, LABELS, among) == percent


def test_overconfident_logits_get_a_temperature_above_one():
    labels = torch.tensor([0] * 3 + [1])
    logits = torch.tensor([[2.2, 0.0]] * 4)  # says 90 %, and is right in 75 %
    labels, logits = torch.cat([labels, 1 - labels]), torch.cat([logits, logits.flip(1)])  # both classes alike
    assert fit_scaling(logits, labels).temperature == pytest.approx(2.0, rel=0.01)
    assert fit_scaling(logits / 4, labels).temperature == pytest.approx(0.5, rel=0.01)
    torch.testing.assert_close(fit_scaling(logits, labels).biases, torch.zeros(2), atol=1e-3, rtol=0)


def _look_alikes(count, rare):
    """Two classes that no picture tells apart, the first in a share `rare` of the symbols; logits say half and half."""
    labels = (torch.arange(count) >= rare * count).long()
    return torch.zeros(count, 2), labels


def test_a_class_that_is_met_oftener_than_the_network_thinks_becomes_likelier():
    logits, labels = _look_alikes(1000, 0.2)
    probabilities = fit_scaling(logits, labels).probabilities(logits)
    torch.testing.assert_close(probabilities[0], torch.tensor([0.2, 0.8]), atol=0.01, rtol=0)


def test_few_symbols_bias_little():
    logits, labels = _look_alikes(5, 0.0)
    assert 0.5 < float(fit_scaling(logits, labels).probabilities(logits)[0, 1]) < 0.85


def test_no_symbol_helps_to_judge_itself():
    logits, labels = torch.randn(40, 3, generator=torch.Generator().manual_seed(1)), torch.arange(40) % 3
    before = cross_validate(logits, labels)
    changed = labels.clone()
    changed[7] = (changed[7] + 1) % 3
    after = cross_validate(logits, changed)
    torch.testing.assert_close(after[7], before[7])
    assert not torch.allclose(after, before, atol=1e-4)


def test_a_bundle_is_calibrated_anew_and_names_what_it_named(learned, data, tmp_path, capsys):
    flags = ["--data", data, "--out", str(tmp_path / "again"), "--bundle", str(learned / "bundle.pt")]
    assert calibrate_symbols.main(flags) == 0
    assert "36 validation symbols right" in capsys.readouterr().out
    first, again = (json.loads((folder / "scores.json").read_text()) for folder in (learned, tmp_path / "again"))
    assert again["accuracy"] == pytest.approx(first["accuracy"], abs=3)  # weights were kept in 16 bits
    image = draw_symbol("+", 200, 12)
    guesses = [SymbolReader.load(folder / "bundle.pt").read(image)[0] for folder in (learned, tmp_path / "again")]
    assert guesses[0].latex == guesses[1].latex
    assert guesses[0].confidence == pytest.approx(guesses[1].confidence, abs=0.02)


def test_a_network_that_is_built_otherwise_is_refused(learned, data, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(calibrate_symbols, "build_symbol_net", lambda name, classes: torch.nn.Linear(2, classes))
    flags = ["--data", data, "--out", str(tmp_path / "out"), "--bundle", str(learned / "bundle.pt")]
    assert calibrate_symbols.main(flags) == 1
    assert "its network is not 'best' as this version builds it; train it anew" in capsys.readouterr().err


def test_a_bundle_with_other_classes_than_the_set_is_refused(data, tmp_path, capsys):
    assert calibrate_symbols.main(["--data", data, "--out", str(tmp_path / "out")]) == 1
    assert "of 101 classes are not in the set, the first is" in capsys.readouterr().err


def test_confusions_count_truth_by_guess(data):
    symbols = read_symbols(data, "val", limit=4)
    counts = count_confusions(symbols, torch.eye(4)[[0, 2, 2, 3]])
    expected = torch.zeros(4, 4, dtype=torch.int64)
    for truth, guess in zip(symbols.labels.tolist(), [0, 2, 2, 3], strict=True):
        expected[truth, guess] += 1
    assert torch.equal(counts, expected)
