"""The folder of a run: which checkpoint the run goes on from, whose it is already, whether the run came to its end."""

import json
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import nn

from im2latex.errors import ConfigError

CHECKPOINTS = ("last.ckpt", "best.ckpt")
FINISHED = "test_scores.json"
"""Written when a run has come to its end, with what it reached on the test set."""


def find_resume(folder: Path, resume: str | None) -> Path | None:
    """The checkpoint to go on from, None where a run begins; ConfigError where it would mix with an earlier one."""
    if resume is None:
        refuse_earlier_run(folder, "--resume auto to go on, or another --name")
        return None
    if resume == "auto":
        return folder / "last.ckpt" if (folder / "last.ckpt").is_file() else None
    return Path(resume)


def refuse_earlier_run(folder: Path, cure: str) -> None:
    """Raise ConfigError if a run has left its checkpoints in the folder."""
    for name in CHECKPOINTS:
        if (folder / name).exists():
            raise ConfigError(f"{folder} holds {name} of an earlier run: {cure}")


def check_checkpoint(path: Path, module: nn.Module, optimizer: str) -> None:
    """Raise ConfigError unless a training of this module with this optimizer can go on from the checkpoint."""
    try:
        kept = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        sizes = {name: tuple(weight.shape) for name, weight in kept["state_dict"].items()}
        trained_with = kept["hyper_parameters"]["optimizer"]["name"] if "optimizer_states" in kept else "no optimizer"
    except (OSError, RuntimeError, UnpicklingError, EOFError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"--resume: {path} is missing, or no checkpoint ({type(error).__name__})") from error
    if trained_with != optimizer:
        raise ConfigError(f"--resume: {path} is of a training with {trained_with}, not {optimizer}")
    own = {name: tuple(weight.shape) for name, weight in module.state_dict().items()}
    for name in [*own, *sizes]:
        if own.get(name) != sizes.get(name):
            raise ConfigError(f"--resume: {path} is of another model: {name} is {sizes.get(name)}, not {own.get(name)}")


def mark_running(folder: Path) -> None:
    """From now on the run has not come to its end."""
    (folder / FINISHED).unlink(missing_ok=True)


def mark_finished(folder: Path, scores: Mapping[str, float]) -> None:
    """The run has come to its end, with these scores of the test set."""
    (folder / FINISHED).write_text(json.dumps(scores, indent=2) + "\n", encoding="utf-8")


def is_finished(folder: Path) -> bool:
    """Whether the run has come to its end, and was not begun again since."""
    return (folder / FINISHED).exists()
