"""Signals of a running training: save and look, save and stop, stop; the same signal again takes it back."""

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
from pytorch_lightning.callbacks import Callback

LOOK, LEAVE, STOP = signal.SIGINT, signal.SIGTERM, signal.SIGUSR1
MEANINGS = {
    LOOK: "saves and validates after this step, then goes on",
    LEAVE: "saves and validates after this step, then stops",
    STOP: "stops after this step",
}
NEVER = sys.maxsize


class Signals(Callback):
    """SIGINT saves, validates and goes on; SIGTERM saves, validates and stops; SIGUSR1 stops.

    They act after the next step of the optimizer, together on all ranks, as rank 0 received them; a signal that comes
    again before is taken back. Lightning's own handlers wait meanwhile, except that of SLURM: where it requeues a job
    on SIGUSR1, that signal stays SLURM's.
    """

    def __init__(self, checkpoint: Path) -> None:
        """`checkpoint`: the file that is saved."""
        self.checkpoint = checkpoint
        self.has_stopped = False
        self._asked: set[int] = set()
        self._steps = 0
        self._before: dict[int, Any] = {}
        self._val_check_batch: int | float | None = None

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Only now: Lightning sets its handlers when the fit begins."""
        self._steps = trainer.global_step
        if threading.current_thread() is not threading.main_thread():
            return  # only the main thread may set handlers
        for number in MEANINGS:
            if number != STOP or signal.getsignal(number) == signal.SIG_DFL:
                self._before[number] = signal.signal(number, self._receive)

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if self._val_check_batch is not None:  # the look that was asked for has been taken
            trainer.val_check_batch, self._val_check_batch = self._val_check_batch, None

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step == self._steps:
            return  # gradients are being accumulated
        self._steps = trainer.global_step
        asked = self._agree(trainer)
        if STOP in asked:
            trainer.check_val_every_n_epoch = NEVER  # Lightning would validate before it stops
        elif asked:
            trainer.save_checkpoint(self.checkpoint)
        if asked & {STOP, LEAVE}:
            self.has_stopped = trainer.should_stop = True
        elif asked:
            self._val_check_batch, trainer.val_check_batch = trainer.val_check_batch, 1

    def teardown(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        """Also after an error."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _receive(self, number: int, frame: object) -> None:
        self._asked ^= {number}
        meaning = MEANINGS[signal.Signals(number)] if number in self._asked else "is taken back"
        os.write(2, f"\n{signal.Signals(number).name} {meaning}\n".encode())  # print is not safe here

    def _agree(self, trainer: lightning.Trainer) -> set[int]:
        """What was asked of rank 0 since the last step."""
        asked, self._asked = self._asked, set()
        return asked if trainer.world_size == 1 else trainer.strategy.broadcast(asked)
