"""A tiny training run that writes down which samples every step saw, for tests of ranks and of resuming."""

import os
import signal
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch
from pytorch_lightning.callbacks import ModelCheckpoint

from im2latex.data.dataset import FormulaBatch
from im2latex.data.im2latex100k import DataConfig, Im2Latex100K
from im2latex.data.sampler import BatchBudget
from im2latex.images import ImageSpec


class Recorder(lightning.LightningModule):
    """Learns one number and keeps a record of its batches."""

    def __init__(self, out: Path, kill_at: int | None) -> None:
        super().__init__()
        self.out, self.kill_at = out, kill_at
        self.ink = torch.nn.Parameter(torch.zeros(()))

    def training_step(self, batch: FormulaBatch, batch_index: int) -> torch.Tensor:
        if self.global_step == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        with (self.out / f"rank{self.global_rank}.txt").open("a", encoding="utf-8") as record:
            record.write(" ".join(map(str, [self.current_epoch, *batch.indices.tolist()])) + "\n")
        return (self.ink - batch.images.mean()) ** 2

    def validation_step(self, batch: FormulaBatch, batch_index: int) -> None:
        pass

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def train(
    data: Path, out: Path, devices: int = 1, workers: int = 0, kill_at: int | None = None, resume: bool = False
) -> None:
    """Two epochs; appends lines "epoch sample sample ..." to `out`/rank<r>.txt; SIGKILL before step `kill_at`."""
    torch.set_num_threads(1)
    budget = BatchBudget(max_pixels=100_000, max_samples=4)
    config = DataConfig(path=str(data), val_fraction=0.1, budget=budget, workers=workers)
    trainer = lightning.Trainer(
        accelerator="cpu",
        devices=devices,
        strategy="ddp_fork" if devices > 1 else "auto",
        use_distributed_sampler=False,
        max_epochs=2,
        callbacks=[ModelCheckpoint(out, "last", every_n_train_steps=1, enable_version_counter=False)],
        num_sanity_val_steps=0,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    checkpoint = out / "last.ckpt" if resume else None
    trainer.fit(Recorder(out, kill_at), Im2Latex100K(config, ImageSpec()), ckpt_path=checkpoint)
