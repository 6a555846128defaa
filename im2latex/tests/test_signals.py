"""Promises of the signals of a running training; a real training is sent them in training/tests."""

import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from im2latex.signals import LEAVE, LOOK, STOP, Signals


class FakeTrainer(SimpleNamespace):
    """As much of Lightning's Trainer as a callback sees."""

    def __init__(self) -> None:
        super().__init__(global_step=0, world_size=1, should_stop=False, val_check_batch=100, check_val_every_n_epoch=1)
        self.saved: list[Path] = []

    def save_checkpoint(self, path: Path) -> None:
        self.saved.append(path)


@pytest.fixture
def running():
    handlers = {number: signal.getsignal(number) for number in (LOOK, LEAVE, STOP)}
    signals, trainer = Signals(Path("last.ckpt")), FakeTrainer()
    signals.on_train_start(trainer, None)
    yield signals, trainer
    signals.teardown(trainer, None, "fit")
    assert {number: signal.getsignal(number) for number in handlers} == handlers


def send(*numbers: int) -> None:
    for number in numbers:
        os.kill(os.getpid(), number)


def train_a_batch(signals: Signals, trainer: Any, steps: int = 1) -> None:
    signals.on_train_batch_start(trainer, None, None, 0)
    trainer.global_step += steps
    signals.on_train_batch_end(trainer, None, None, None, 0)


def test_sigint_saves_validates_and_goes_on(running):
    signals, trainer = running
    send(LOOK)
    train_a_batch(signals, trainer)
    assert (trainer.saved, trainer.val_check_batch, trainer.should_stop) == ([Path("last.ckpt")], 1, False)
    train_a_batch(signals, trainer)
    assert (len(trainer.saved), trainer.val_check_batch, signals.has_stopped) == (1, 100, False)


def test_sigterm_saves_and_stops_where_lightning_validates(running):
    signals, trainer = running
    send(LEAVE)
    train_a_batch(signals, trainer)
    assert (len(trainer.saved), trainer.should_stop, trainer.check_val_every_n_epoch) == (1, True, 1)
    assert signals.has_stopped


def test_sigusr1_stops_and_does_nothing_else(running):
    signals, trainer = running
    send(STOP)
    train_a_batch(signals, trainer)
    assert (trainer.saved, trainer.should_stop, signals.has_stopped) == ([], True, True)
    assert trainer.check_val_every_n_epoch > 10**9


@pytest.mark.parametrize("number", [LOOK, LEAVE, STOP])
def test_the_same_signal_again_takes_it_back(running, number, capfd):
    signals, trainer = running
    send(number, number)
    train_a_batch(signals, trainer)
    assert (trainer.saved, trainer.should_stop, trainer.val_check_batch) == ([], False, 100)
    assert "taken back" in capfd.readouterr().err
    send(number, number, number)
    train_a_batch(signals, trainer)
    assert trainer.saved or trainer.should_stop


def test_a_signal_waits_until_the_accumulated_step_is_done(running):
    signals, trainer = running
    send(LEAVE)
    train_a_batch(signals, trainer, steps=0)
    assert not trainer.should_stop
    train_a_batch(signals, trainer)
    assert trainer.should_stop


def test_slurm_keeps_the_signal_that_it_requeues_by():
    requeue = signal.signal(STOP, lambda *_: None)
    theirs, signals = signal.getsignal(STOP), Signals(Path("last.ckpt"))
    try:
        signals.on_train_start(FakeTrainer(), None)
        assert signal.getsignal(STOP) is theirs
        assert signal.getsignal(LOOK) == signals._receive
    finally:
        signals.teardown(FakeTrainer(), None, "fit")
        signal.signal(STOP, requeue)


def test_all_ranks_do_what_rank_0_was_asked():
    signals, trainer = Signals(Path("last.ckpt")), FakeTrainer()
    trainer.world_size, trainer.strategy = 2, SimpleNamespace(broadcast=lambda _: {LEAVE})
    train_a_batch(signals, trainer)
    assert trainer.should_stop
