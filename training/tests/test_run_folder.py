"""Runs do not mix: a folder is begun once, and gone on with from a checkpoint that fits."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from im2latex.errors import ConfigError
from training.run_folder import check_checkpoint, find_resume, is_finished, mark_finished, mark_running


def keep(module: nn.Module, optimizer: str = "muon") -> dict[str, Any]:
    """A checkpoint, as far as it is looked at."""
    kept = {"optimizer": {"name": optimizer}}
    return {"state_dict": module.state_dict(), "optimizer_states": [], "hyper_parameters": kept}


@pytest.mark.parametrize("name", ["last.ckpt", "best.ckpt"])
def test_a_second_run_of_one_name_is_refused_but_for_resume(tmp_path, name):
    assert find_resume(tmp_path / "new", None) is None
    (tmp_path / name).touch()
    with pytest.raises(ConfigError, match=f"holds {name} of an earlier run: --resume auto to go on, or another --name"):
        find_resume(tmp_path, None)
    assert find_resume(tmp_path, "other.ckpt") == Path("other.ckpt")


def test_auto_goes_on_from_the_last_checkpoint_and_begins_where_there_is_none(tmp_path):
    (tmp_path / "best.ckpt").touch()
    assert find_resume(tmp_path, "auto") is None
    (tmp_path / "last.ckpt").touch()
    assert find_resume(tmp_path, "auto") == tmp_path / "last.ckpt"


def test_a_run_that_goes_on_has_not_ended_any_more(tmp_path):
    mark_running(tmp_path / "new")
    assert not is_finished(tmp_path)
    mark_finished(tmp_path, {"test/bleu": 1.0})
    assert is_finished(tmp_path)
    mark_running(tmp_path)
    assert not is_finished(tmp_path)


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        (None, "is missing, or no checkpoint"),
        (b"no", "is missing, or no checkpoint"),
        ([1], "is missing, or no checkpoint"),
        ({"weights": {}}, "is missing, or no checkpoint"),
        ({"state_dict": nn.Linear(2, 3).state_dict()}, "is of a training with no optimizer, not muon"),
        (keep(nn.Linear(2, 3), "adamw"), "is of a training with adamw, not muon"),
        (keep(nn.Linear(2, 4)), r"another model: weight is \(4, 2\), not \(3, 2\)"),
        (keep(nn.Linear(2, 3, bias=False)), r"another model: bias is None, not \(3,\)"),
    ],
)
def test_what_a_training_cannot_go_on_from_is_refused_in_one_line(tmp_path, kept, message):
    path = tmp_path / "x.ckpt"
    if isinstance(kept, bytes):
        path.write_bytes(kept)
    elif kept is not None:
        torch.save(kept, path)
    with pytest.raises(ConfigError, match=message) as refused:
        check_checkpoint(path, nn.Linear(2, 3), "muon")
    assert len(str(refused.value).splitlines()) == 1


def test_a_checkpoint_of_the_same_model_is_taken(tmp_path):
    torch.save(keep(nn.Linear(2, 3)), tmp_path / "x.ckpt")
    check_checkpoint(tmp_path / "x.ckpt", nn.Linear(2, 3), "muon")
