"""Tests of the command that goes on from the default model: it trains on all that it makes, and its settings fit."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from im2latex.lit_model import LitModel
from training.run_experiment import parse

ROOT = Path(__file__).resolve().parents[2]
ARGUMENTS = ("232", "100", "train.tsv.xz", "other", "web/node_modules")
RECORD = """#!/usr/bin/env bash
echo "$*" >> called.txt
for argument; do
    case $before in --out) mkdir -p "${argument%/*}" && touch "$argument" ;; esac
    before=$argument
done
"""


@pytest.fixture
def calls(tmp_path):
    """Run the script in an empty folder whose Python only writes down how it was called; returns the calls."""
    python = tmp_path / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(RECORD)
    python.chmod(0o755)

    def run(*arguments):
        record = tmp_path / "called.txt"
        record.unlink(missing_ok=True)
        environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
        subprocess.run([ROOT / "training/stage.sh", *arguments], cwd=tmp_path, check=True, env=environment)
        return record.read_text().splitlines()

    return run


def test_a_stage_trains_on_all_that_it_made(calls):
    *made, trained = calls(*ARGUMENTS)
    packed = [call.split(" --out ")[1].split()[0] for call in made if "prepare_data.py" in call]
    shown = re.search(r"--data\.path (\S+) --data\.also \[(\S+)\]", trained)
    assert shown is not None
    assert len(packed) == 11
    assert {shown[1], *shown[2].split(",")} == set(packed)
    assert shown[2].split(",").count("data/stage_232/own") == 2


def test_formulas_are_invented_once_but_all_else_goes_on(calls):
    first, again = calls(*ARGUMENTS), calls(*ARGUMENTS)
    assert [call for call in first if "_formulas.py" not in call] == again
    assert "--resume auto" in again[-1]


def test_a_list_that_was_cut_short_is_made_again(calls, tmp_path):
    python = tmp_path / ".venv/bin/python"
    python.write_text(RECORD + "exit 1\n")
    with pytest.raises(subprocess.CalledProcessError):
        calls(*ARGUMENTS)
    python.write_text(RECORD)
    assert "new_formulas.py" in calls(*ARGUMENTS)[0]


def test_seeds_take_other_parts_of_the_list(calls):
    parts = [re.findall(r"--skip (\d+)", "\n".join(calls(str(seed), *ARGUMENTS[1:]))) for seed in (231, 232)]
    assert all(one != other for one, other in zip(*parts, strict=True))


def test_without_arguments_the_usage_is_told():
    told = subprocess.run([ROOT / "training/stage.sh"], capture_output=True, text=True, check=False)
    assert told.returncode == 2
    assert "training/stage.sh SEED STEPS LIST OTHER MODULES" in told.stderr


def test_steps_after_the_last_checkpoint_are_refused_before_anything_is_made(tmp_path):
    command = [ROOT / "training/stage.sh", "232", "120", *ARGUMENTS[2:]]
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert told.returncode == 2
    assert "STEPS is 120, wanted a multiple of 50" in told.stderr
    assert not list(tmp_path.iterdir())


def test_its_settings_are_of_the_model_that_ships():
    experiment = parse(["--config", str(ROOT / "training/stage.yml")])
    assert experiment.frozen == ["trunk"]
    assert experiment.init == "im2latex/bundles/default.pt"
    vocab = LitModel.vocabulary_of(str(ROOT / experiment.init))
    module = LitModel(experiment.model, experiment.optimizer, vocab, experiment.spec, experiment.seed)
    module.take_weights(str(ROOT / experiment.init))
