"""Every formula model is trained on the same data for the same time, and the table invents nothing."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from im2latex.data.sampler import BatchBudget
from im2latex.errors import ConfigError
from im2latex.models import KINDS
from training import compare_models
from training.compare_models import NOT_YET, CompareConfig, compare, plan, read_over_epochs
from training.run_experiment import parse
from training.scored import COLUMNS, write_table

PAGE = Path(__file__).parents[2] / "docs/models.md"


def test_all_models_are_trained_on_the_same_pictures_as_often():
    config = CompareConfig(epochs=7, more=["--data.budget.max_samples=128", "--data.max_width=200"])
    experiments = [parse(plan(config, name)[0][1][1:]) for name in KINDS]
    batches = {experiment.model.name: experiment.data.budget.max_samples for experiment in experiments}
    assert batches == {name: {"cnn_gru": 32, "i2l_strips": 56, "i2l_nopool": 56}.get(name, 128) for name in KINDS}
    experiments = [replace(each, data=replace(each.data, budget=BatchBudget())) for each in experiments]
    assert [experiment.model.name for experiment in experiments] == list(KINDS)
    for part in ("data", "augment", "spec", "trainer", "seed"):
        assert len({str(getattr(experiment, part)) for experiment in experiments}) == 1, part
    assert experiments[0].trainer.max_epochs == 7


def test_the_table_holds_parameters_and_only_scores_that_were_measured(tmp_path):
    folder = tmp_path / "cnn_gru"
    folder.mkdir()
    report = {"scores": {"bleu": 51.26, "edit_score": 60.0, "exact_match": 7.0}, "seconds": 4.0, "formulas": 8}
    (folder / "scores.json").write_text(json.dumps(report))
    cells = {"prediction": "x ^ { 2 }"}
    write_table(folder / "predictions.tsv", COLUMNS, [[cells.get(name, "") for name in COLUMNS]] * 8)
    (folder / "logs").mkdir()
    logged = ["epoch,step,train/loss,val/edit_score", "0,4,2.5,", "0,9,,31.4", "1,14,2.0,", "1,19,,59.6"]
    (folder / "logs" / "metrics.csv").write_text("\n".join(logged))
    lines = compare(CompareConfig(out=str(tmp_path), table_only=True)).splitlines()
    found = {line.split(" | ")[0].strip("| "): line for line in lines[2:]}
    assert list(found) == list(KINDS)
    assert found["cnn_gru"] == "| cnn_gru | 2.5 | 51.3 | 60.0 | 7.0 |  | 500.0 | 10 | 31 60 |"
    assert all(NOT_YET in line for name, line in found.items() if name != "cnn_gru")


def test_what_is_there_is_not_made_again_and_what_was_interrupted_goes_on(tmp_path, monkeypatch):
    commands = []
    monkeypatch.setattr(compare_models, "run_script", lambda command, name: commands.append(command))
    for name in KINDS:
        (tmp_path / name).mkdir()
        (tmp_path / name / "bundle.pt").touch()
    (tmp_path / "cnn_lstm" / "bundle.pt").unlink()
    compare(CompareConfig(out=str(tmp_path)))
    scripts = [Path(command[0]).stem for command in commands]
    assert scripts.count("run_experiment") == 1
    assert scripts.count("evaluate") == len(KINDS)
    assert "--resume=auto" in next(command for command in commands if "run_experiment" in command[0])


def test_one_picture_shows_how_all_of_them_learned(tmp_path):
    assert not (tmp_path / "curves.png").exists()
    compare(CompareConfig(out=str(tmp_path), table_only=True))
    assert not (tmp_path / "curves.png").exists()  # nothing has been trained yet
    for name in ("cnn_gru", "i2l_strips"):
        logs = tmp_path / name / "logs"
        logs.mkdir(parents=True)
        rows = [f"{step // 150},{step},{3 - step / 100},{step}" for step in range(0, 300, 10)]
        (logs / "metrics.csv").write_text("\n".join(["epoch,step,train/loss,val/edit_score", *rows]))
    compare(CompareConfig(out=str(tmp_path), table_only=True))
    assert Image.open(tmp_path / "curves.png").width > 800


def test_curves_run_over_epochs_whatever_the_batches(tmp_path):
    for part, rows in (("logs", ["0,9,5.0", "0,19,4.0", "1,29,3.0"]), ("logs_2", ["1,29,2.0", "1,34,1.5", ",34,"])):
        (tmp_path / part).mkdir()
        (tmp_path / part / "metrics.csv").write_text("\n".join(["epoch,step,train/loss", *rows]))
    assert read_over_epochs(tmp_path, "train/loss") == [(0.5, 5.0), (1.0, 4.0), (1.5, 2.0), (2.0, 1.5)]


@pytest.mark.parametrize(
    ("code", "message"),
    [(3, "this command failed: python training/run_exp"), (143, "interrupted; the same command goes on")],
)
def test_a_training_that_fails_or_is_stopped_ends_the_comparison_without_a_bundle(tmp_path, monkeypatch, code, message):
    commands = []

    def end(command, **how):
        commands.append(command)
        return subprocess.CompletedProcess(command, code)

    monkeypatch.setattr(subprocess, "run", end)
    with pytest.raises(ConfigError, match=f"resnet_transformer: {message}"):
        compare(CompareConfig(out=str(tmp_path)))
    assert len(commands) == 1


def test_the_page_tells_the_parameters_that_the_models_have():
    for line in compare(CompareConfig(out="nowhere", table_only=True)).splitlines()[2:]:
        name, parameters = line.strip("| ").split(" | ")[:2]
        assert f"| {name} | {parameters} |" in PAGE.read_text()
