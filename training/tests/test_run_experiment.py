"""Promises of a training run: exact resume, equal ranks, unknown flags refused, W&B never in the way."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch

from im2latex.errors import ConfigError
from im2latex.lit_model import LitModel
from im2latex.tests.packed_sets import make_packed_set
from training import run_experiment
from training.command import STOPPED
from training.run_experiment import parse, run
from training.run_folder import FINISHED, is_finished

pytestmark = pytest.mark.timeout(1500)  # each test starts processes that load torch and Lightning
SCRIPT = Path(__file__).parents[1] / "run_experiment.py"
TINY = [
    *("--model.trunk_blocks=[1,1,1]", "--model.d_model=32", "--model.decoder_layers=1", "--model.feedforward=64"),
    *("--model.dropout=0.1", "--model.max_tokens=8", "--data.val_fraction=0.1", "--data.budget.max_samples=4"),
    *("--optimizer.total_steps=1000", "--optimizer.warmup_steps=2", "--trainer.accelerator=cpu"),
    *("--trainer.checkpoint_every_n_steps=1", "--trainer.limit_val_batches=1", "--trainer.limit_test_batches=1"),
    "--trainer.devices=1",
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_packed_set(tmp_path_factory.mktemp("data") / "set", samples=60)


def start(
    data: Path, out: Path, *more: str, flags: list[str] = TINY, **environment: str
) -> "subprocess.Popen[str]":
    command = [sys.executable, str(SCRIPT), *flags, f"--data.path={data}", f"--out={out}", "--name=run", *more]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, **environment}
    )


def finish(process: "subprocess.Popen[str]", code: int = 0) -> str:
    output, _ = process.communicate(timeout=600)
    assert process.returncode == code, output[-3000:]
    return output


def weights(out: Path) -> dict[str, Any]:
    """Parameters and batch-norm statistics as training left them, not their average."""
    checkpoint = torch.load(out / "run" / "last.ckpt", weights_only=True)
    return {"step": checkpoint["global_step"], **checkpoint["current_model_state"]}


def test_a_killed_run_goes_on_exactly_where_it_stopped(data, tmp_path):
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    process = start(data, killed, "--trainer.max_steps=1000")
    while not (killed / "run" / "last.ckpt").exists():
        assert process.poll() is None, process.communicate()[0][-3000:]
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    curve = killed / "run" / "logs" / "metrics.csv"
    curve.parent.mkdir(exist_ok=True)
    curve.write_text("the curve so far")
    until = f"--trainer.max_steps={weights(killed)['step'] + 4}"
    finish(start(data, killed, until, f"--resume={killed / 'run' / 'last.ckpt'}"))
    finish(start(data, whole, until))
    resumed, undisturbed = weights(killed), weights(whole)
    assert resumed["step"] == undisturbed["step"]
    assert curve.read_text() == "the curve so far"
    for name, value in undisturbed.items():
        assert torch.equal(torch.as_tensor(resumed[name]), torch.as_tensor(value)), name


def test_two_ranks_learn_what_one_learns_from_the_same_global_batch(data, tmp_path):
    exact = ["--model.dropout=0", "--data.augment=false", "--trainer.max_steps=3", "--optimizer.name=adamw"]
    exact.append("--trainer.precision=32-true")
    output = finish(start(data, tmp_path / "two", *exact, "--trainer.devices=2", OMP_NUM_THREADS="1"))
    finish(start(data, tmp_path / "one", *exact, "--trainer.accumulate_grad_batches=2", OMP_NUM_THREADS="1"))
    two, one = weights(tmp_path / "two"), weights(tmp_path / "one")
    assert two["step"] == one["step"] == 3
    assert output.count("checkpoint:") == 1
    for name, _ in LitModel.load(tmp_path / "one" / "run" / "last.ckpt").named_parameters():
        torch.testing.assert_close(two[name], one[name], atol=2e-5, rtol=1e-3)


def test_a_run_that_begins_with_given_weights_keeps_their_vocabulary_and_can_be_resumed_without_them(data, tmp_path):
    first, rarer = tmp_path / "first", "--data.min_count=12"  # most tokens of the set are rarer
    finish(start(data, first, "--trainer.max_steps=1"))
    known = LitModel.load(first / "run" / "last.ckpt").tokenizer.vocab
    finish(start(data, tmp_path, rarer, "--trainer.max_steps=1", f"--init={first / 'run' / 'last.ckpt'}"))
    assert LitModel.load(tmp_path / "run" / "last.ckpt").tokenizer.vocab == known
    finish(start(data, tmp_path, rarer, "--trainer.max_steps=2", "--resume=auto"))
    assert LitModel.load(tmp_path / "run" / "last.ckpt").tokenizer.vocab == known


def test_a_frozen_part_keeps_weights_and_statistics_while_the_rest_learns(data, tmp_path):
    first = tmp_path / "first"
    finish(start(data, first, "--trainer.max_steps=1"))
    finish(start(data, tmp_path, "--trainer.max_steps=3", "--trainer.val_every_n_steps=1", "--frozen=[trunk]",
                 f"--init={first / 'run' / 'last.ckpt'}"))  # fmt: skip
    before, after = LitModel.load(first / "run" / "last.ckpt").state_dict(), weights(tmp_path)
    for name, given in before.items():
        assert torch.equal(after[name], given) == name.startswith("model.trunk."), name


def test_adamw_learns_in_bfloat16(data, tmp_path):
    finish(start(data, tmp_path, "--trainer.max_steps=2", "--optimizer.name=adamw", "--trainer.precision=bf16-mixed"))
    assert weights(tmp_path)["step"] == 2


def test_a_run_leaves_a_complete_checkpoint_scores_samples_and_its_configuration(data, tmp_path):
    process = start(data, tmp_path, "--trainer.max_steps=2", "--trainer.val_every_n_steps=1", "--wandb=online",
                    WANDB_API_KEY="", HOME=str(tmp_path), WANDB_MODE="")  # fmt: skip
    output = finish(process)
    folder = tmp_path / "run"
    assert f"checkpoint: {folder / 'best.ckpt'}" in output
    assert "test/edit_score" in output
    assert "logging offline" in output
    assert "test/edit_score" in json.loads((folder / FINISHED).read_text())
    assert LitModel.load(folder / "best.ckpt").tokenizer.vocab == json.loads((data / "vocab.json").read_text())["vocab"]
    for kind in ("samples", "attention"):  # each in the folder, and in what `wandb sync` would send
        assert len(list((folder / kind).glob("*.png"))) == 2
        assert len(list(folder.glob(f"wandb/offline-run-*/files/media/images/val/{kind}_*.png"))) == 2
    assert "val/bleu" in (folder / "logs" / "metrics.csv").read_text().splitlines()[0]
    assert "max_steps" in (folder / "logs" / "hparams.yaml").read_text()


def test_a_run_that_ends_before_its_first_checkpoint_leaves_one_and_is_tested(data, tmp_path):
    output = finish(start(data, tmp_path, "--trainer.max_steps=2", "--trainer.checkpoint_every_n_steps=100"))
    assert f"checkpoint: {tmp_path / 'run' / 'last.ckpt'}" in output
    assert "test/edit_score" in output
    assert LitModel.load(tmp_path / "run" / "last.ckpt")
    again = finish(start(data, tmp_path, "--trainer.max_steps=2"), 1)
    assert "holds last.ckpt of an earlier run: --resume auto to go on, or another --name" in again
    assert "Traceback" not in again


def wait_for(process: "subprocess.Popen[str]", path: Path, pattern: str) -> None:
    while not list(path.glob(pattern)):
        assert process.poll() is None, process.communicate()[0][-3000:]
        time.sleep(0.05)


def test_a_running_training_validates_on_sigint_and_leaves_on_sigterm_without_a_test(data, tmp_path):
    process = start(data, tmp_path, "--trainer.max_steps=1000", "--trainer.val_every_n_steps=1000")
    wait_for(process, tmp_path / "run", "last.ckpt")
    process.send_signal(signal.SIGINT)
    wait_for(process, tmp_path / "run" / "samples", "*.png")
    process.send_signal(signal.SIGTERM)
    output = finish(process, STOPPED)
    assert "checkpoint:" in output
    assert "test/edit_score" not in output
    assert len(list((tmp_path / "run" / "samples").glob("*.png"))) == 2
    assert (tmp_path / "run" / "curves.png").exists()
    assert weights(tmp_path)["step"] < 1000


def test_an_older_system_is_trained_stopped_by_sigusr1_and_kept_with_its_whole_configuration(data, tmp_path):
    model = ["--model=cnn_gru", "--model.widths=[4,4,8]", "--model.units=16", "--model.embedding=16"]
    rest = [flag for flag in TINY if not flag.startswith("--model")]
    process = start(data, tmp_path, *model, "--trainer.max_steps=100000", "--trainer.checkpoint_every_n_epochs=1",
                    flags=rest)  # fmt: skip
    wait_for(process, tmp_path / "run", "epoch-*.ckpt")
    process.send_signal(signal.SIGUSR1)
    output = finish(process, STOPPED)
    assert "test/edit_score" not in output
    assert not is_finished(tmp_path / "run")
    checkpoint = torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)
    kept = checkpoint["hyper_parameters"]["experiment"]
    assert (kept["model"]["name"], kept["model"]["units"], kept["trainer"]["max_steps"]) == ("cnn_gru", 16, 100000)
    assert LitModel.load(tmp_path / "run" / "epoch-000.ckpt").model_config.name == "cnn_gru"


@pytest.mark.parametrize(
    ("environment", "code"), [({}, STOPPED), ({"LOCAL_RANK": "1"}, 0), ({"TORCHELASTIC_RUN_ID": "x"}, 0)]
)
def test_a_process_that_is_watched_is_not_taken_for_failed_when_signals_stopped_it(monkeypatch, environment, code):
    for name in ("LOCAL_RANK", "TORCHELASTIC_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["run_experiment.py"])
    monkeypatch.setattr(run_experiment, "run", lambda experiment: None)
    with pytest.raises(SystemExit) if code else nullcontext() as ended:
        run_experiment.main()
    assert ended is None or ended.value.code == code


@pytest.mark.parametrize("flags", [["--model", "foo"], ["--model=foo"]])
def test_a_model_that_is_not_there_is_answered_with_those_that_are(flags):
    with pytest.raises(ConfigError, match="there is no model 'foo', wanted one of resnet_transformer, cnn_lstm, "):
        parse(flags)


def test_a_model_without_units_is_refused_before_it_is_built(data, tmp_path):
    flags = ["--model=cnn_gru", "--model.units=0", f"--data.path={data}", f"--out={tmp_path}"]
    with pytest.raises(ConfigError, match="units of cnn_gru must be at least 1, got 0"):
        run(parse(flags))


def test_an_unknown_flag_stops_the_run(data, tmp_path):
    process = start(data, tmp_path, "--model.width=12")
    output, _ = process.communicate(timeout=600)
    assert process.returncode != 0
    assert "'width' is not accepted" in output


def test_help_says_what_a_flag_is_for(capsys):
    with pytest.raises(SystemExit):
        parse(["--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "Folder of the run under `out`" in said
    assert "A packed set, a folder of them" in said
