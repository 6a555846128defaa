"""Promises about real training runs: a killed run goes on with the next batch; ranks share the data."""

import signal
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from im2latex.tests.packed_sets import make_packed_set
from im2latex.tests.record_batches import train

Record = list[tuple[int, ...]]
"""A step each: its epoch, then its samples."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_packed_set(tmp_path_factory.mktemp("data") / "set", 40)


def run(data: Path, out: Path, **options: Any) -> int | None:
    """Trains in a process of its own and returns its exit code; one server process imports Lightning for all."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["im2latex.tests.record_batches"])
    process = context.Process(target=train, args=(data, out), kwargs=options)
    process.start()
    process.join(timeout=240)
    return process.exitcode


def read_record(out: Path, rank: int = 0) -> Record:
    lines = (out / f"rank{rank}.txt").read_text(encoding="utf-8").splitlines()
    return [tuple(map(int, line.split())) for line in lines]


def samples_of(record: Record, epoch: int) -> list[int]:
    return [sample for step in record if step[0] == epoch for sample in step[1:]]


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Record:
    out = tmp_path_factory.mktemp("whole")
    assert run(data, out) == 0
    return read_record(out)


@pytest.mark.parametrize("epochs", [0.3, 1.0, 1.5])
def test_a_run_killed_by_kill_9_goes_on_with_exactly_the_batches_left(
    data: Path, whole: Record, tmp_path: Path, epochs: float
) -> None:
    kill_at = round(epochs * sum(step[0] == 0 for step in whole))
    # Workers fetch ahead: what was fetched but not trained on must come again.
    assert run(data, tmp_path, workers=2, kill_at=kill_at) == -signal.SIGKILL
    assert len(read_record(tmp_path)) == kill_at
    assert run(data, tmp_path, workers=2, resume=True) == 0
    assert read_record(tmp_path) == whole


def test_two_processes_train_on_every_sample_once_an_epoch_in_the_order_of_one(
    data: Path, whole: Record, tmp_path: Path
) -> None:
    assert run(data, tmp_path, devices=2) == 0
    ranks = [read_record(tmp_path, 0), read_record(tmp_path, 1)]
    assert len(ranks[0]) == len(ranks[1])
    for epoch in range(2):
        both = samples_of(ranks[0], epoch) + samples_of(ranks[1], epoch)
        assert sorted(both) == sorted(samples_of(whole, epoch)) == list(range(len(both)))
    first = [step for pair in zip(*ranks, strict=True) for step in pair][:6]
    assert first == whole[:6]
    assert [step[1:] for step in whole if step[0] == 0] != [step[1:] for step in whole if step[0] == 1]
