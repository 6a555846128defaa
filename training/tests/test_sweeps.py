"""Every sweep passes flags that a training run knows, and can be run here as well as by W&B."""

import random
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from im2latex.errors import ConfigError
from im2latex.models import check_sizes
from training import run_sweep
from training.run_experiment import Experiment, parse
from training.run_folder import mark_finished
from training.run_sweep import Sweep, SweepConfig, draw_flags, read_sweep

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
def test_every_value_and_bound_of_a_sweep_is_taken_and_makes_a_model(path):
    sweep = read_sweep(path)
    assert len(draw_flags(sweep, random.Random(3))) == len(sweep.parameters)
    for name, rule in sweep.parameters.items():
        for value in rule.get("values") or (rule["min"], rule["max"]):
            experiment = parse([*sweep.fixed, f"--{name}={value}"])
            assert str(read(experiment, name)) == str(value)
            if name.startswith("model."):
                check_sizes(experiment.model)
                experiment.model.build(10)
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


class Trainings:
    """Takes the place of processes that train: each leaves a curve and, unless it is to fail, the mark of its end."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.codes: dict[str, int] = {}
        self.commands: list[list[str]] = []
        self.folders: set[Path] = set()

    def run(self, command: list[str], cwd: Path, check: bool) -> "subprocess.CompletedProcess[str]":
        self.commands.append(command)
        self.folders.add(cwd)
        name = next(word.removeprefix("--name=") for word in command if word.startswith("--name="))
        (self.out / name / "logs").mkdir(parents=True, exist_ok=True)
        (self.out / name / "logs/metrics.csv").write_text(
            f"epoch,step,val/edit_score\n0,5,{10 * int(name)}\n0,9,nan\n"
        )
        code = self.codes.get(name, 0)
        (self.out / name / "last.ckpt").touch()
        if not code:
            mark_finished(self.out / name, {})
        return subprocess.CompletedProcess(command, code)


@pytest.fixture
def trainings(tmp_path, monkeypatch):
    found = Trainings(tmp_path)
    monkeypatch.setattr(subprocess, "run", found.run)
    monkeypatch.chdir(tmp_path)
    return found


def test_a_sweep_runs_here_and_tells_the_best_first(trainings):
    config = SweepConfig(str(FILES[0]), runs=3, out=".", more=["--data.path=other"])
    table = run_sweep.run_sweep(config).splitlines()
    assert [line[0] for line in table] == ["2", "1", "0"]
    for command in trainings.commands:
        assert {"--data.path=other", "--wandb=off", "--resume=auto", f"--out={trainings.out}"} < set(command)
    assert trainings.folders == {ROOT}  # from whichever folder the sweep was started
    assert run_sweep.run_sweep(config).splitlines() == table
    assert len(trainings.commands) == 3  # what has ended is not run again


@pytest.mark.parametrize(("code", "message"), [(2, "run 1: this command failed"), (143, "run 1: interrupted")])
def test_a_run_that_fails_or_is_stopped_ends_the_sweep_and_is_gone_on_with(trainings, code, message):
    config = SweepConfig(str(FILES[0]), runs=3, out=".")
    trainings.codes["1"] = code
    with pytest.raises(ConfigError, match=message):
        run_sweep.run_sweep(config)
    trainings.codes.clear()
    assert len(run_sweep.run_sweep(config).splitlines()) == 3
    names = [word for command in trainings.commands for word in command if word.startswith("--name=")]
    assert names == ["--name=0", "--name=1", "--name=1", "--name=2"]


@pytest.mark.parametrize(
    "rule", [{"value": 3}, {"min": 1, "max": 2}, {"distribution": "normal", "mu": 0}, {"values": []}, 3, None,
             {"distribution": "log_uniform_values", "min": 0, "max": 1},
             {"distribution": "uniform", "min": "3e-4", "max": 1}],
)  # fmt: skip
def test_a_rule_that_cannot_be_drawn_from_is_named(rule):
    sweep = Sweep("x.py", "val/bleu", True, [], {"model.units": rule})
    with pytest.raises(ConfigError, match=r"model\.units: cannot draw from .*; wanted values, or distribution"):
        draw_flags(sweep, random.Random(0))


@pytest.mark.parametrize(
    "text", ["method: grid\n", "{program: x, metric: {name: y, goal: maximize}, command: [], parameters: [a]}"]
)
def test_a_file_that_is_no_sweep_is_refused(tmp_path, text):
    (tmp_path / "x.yml").write_text(text)
    with pytest.raises(ConfigError, match=r"x\.yml is no sweep"):
        read_sweep(tmp_path / "x.yml")


def test_the_page_names_every_sweep():
    page = (ROOT / "docs/sweeps.md").read_text()
    assert set(re.findall(r"\w+\.yml", page)) == {path.name for path in FILES}
