"""Every sweep passes flags that a training run knows, and can be run here as well as by W&B."""

import random
import re
from pathlib import Path

import pytest
import yaml

from im2latex.errors import ConfigError
from training import run_sweep
from training.run_experiment import Experiment, parse
from training.run_sweep import SweepConfig, draw_flags, read_sweep

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "training/sweeps").glob("*.yml"))


def read(experiment: Experiment, name: str) -> object:
    value: object = experiment
    for part in name.split("."):
        value = getattr(value, part)
    return value


def test_the_transformer_and_an_older_system_are_swept_at_random_and_by_bayes():
    found = {(yaml.safe_load(path.read_text())["method"], parse(read_sweep(path).fixed).model.name) for path in FILES}
    assert found == {(method, model) for method in ("random", "bayes") for model in ("resnet_transformer", "cnn_lstm")}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_flag_of_a_sweep_is_taken_as_it_was_drawn(path):
    sweep = read_sweep(path)
    drawn = draw_flags(sweep, random.Random(3))
    experiment = parse([*sweep.fixed, *drawn])
    for flag in drawn:
        name, value = flag.removeprefix("--").split("=")
        assert str(read(experiment, name)) == value
    assert (ROOT / sweep.program).exists()
    assert sweep.metric == "val/edit_score"
    assert sweep.maximize


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_wandb_is_told_what_it_needs(path):
    found = yaml.safe_load(path.read_text())
    assert found["command"][:3] == ["${env}", "${interpreter}", "${program}"]
    assert found["command"][-1] == "${args}"
    for rule in found["parameters"].values():
        assert "values" in rule or rule["min"] < rule["max"]


def test_a_sweep_runs_here_and_tells_the_best_first(tmp_path, monkeypatch):
    def train(command: list[str], check: bool) -> None:
        commands.append(command)
        name = next(word.removeprefix("--name=") for word in command if word.startswith("--name="))
        (tmp_path / name / "logs").mkdir(parents=True)
        (tmp_path / name / "logs/metrics.csv").write_text(f"epoch,step,val/edit_score\n0,5,{10 * int(name)}\n")
        (tmp_path / name / "last.ckpt").touch()

    commands = []
    monkeypatch.setattr(run_sweep.subprocess, "run", train)
    config = SweepConfig(str(FILES[0]), runs=3, out=str(tmp_path), more=["--data.path=other"])
    table = run_sweep.run_sweep(config).splitlines()
    assert [line[0] for line in table] == ["2", "1", "0"]
    assert all("--data.path=other" in command and "--wandb=off" in command for command in commands)
    assert run_sweep.run_sweep(config).splitlines() == table
    assert len(commands) == 3  # what has run is not run again


def test_a_file_that_is_no_sweep_is_refused(tmp_path):
    (tmp_path / "x.yml").write_text("method: grid\n")
    with pytest.raises(ConfigError, match=r"x\.yml is no sweep"):
        read_sweep(tmp_path / "x.yml")


def test_the_page_names_every_sweep():
    page = (ROOT / "docs/sweeps.md").read_text()
    assert set(re.findall(r"\w+\.yml", page)) == {path.name for path in FILES}
