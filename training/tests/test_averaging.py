"""The average of the weights: until it begins, it is the weights themselves, never those before training."""

from pathlib import Path

import pytest
import pytorch_lightning as lightning
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from im2latex.optimizers import OptimizerConfig, capped_warmup
from training.averaging import Averaging

BATCHES: "DataLoader[tuple[Tensor, ...]]" = DataLoader(TensorDataset(torch.ones(12, 1)), batch_size=1)


class Counter(lightning.LightningModule):
    """A weight that is n after n steps; keeps what validation saw of it."""

    def __init__(self, optimizer: OptimizerConfig, total_steps: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.norm = nn.BatchNorm1d(1)
        self.optimizer_config, self.total_steps = optimizer, total_steps
        self.validated: list[float] = []

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        self.norm(batch[0].expand(2, 1))  # counts its batches
        return -self.weight

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        assert self.norm.num_batches_tracked == self.weight or self.global_step > self.warmup_steps
        self.validated.append(float(self.weight))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        self.warmup_steps = capped_warmup(self.optimizer_config, self.total_steps)
        return torch.optim.SGD(self.parameters(), lr=1.0)


def train(folder: Path, total_steps: int) -> Counter:
    module = Counter(OptimizerConfig(), total_steps)
    trainer = lightning.Trainer(
        accelerator="cpu", max_steps=12, val_check_interval=4, limit_val_batches=1, num_sanity_val_steps=0,
        callbacks=[Averaging(decay=0.5), ModelCheckpoint(folder, "last", every_n_train_steps=12)],
        logger=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(module, BATCHES, BATCHES)
    return module


def test_a_run_that_ends_within_the_warm_up_validates_and_keeps_what_it_learned(tmp_path):
    module = train(tmp_path, total_steps=3000)  # 300 of them are the warm-up
    assert module.validated == [4, 8, 12]
    kept = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert kept["state_dict"]["weight"] == kept["current_model_state"]["weight"] == 12
    assert float(module.weight) == 12  # as it is tested afterwards


def test_the_average_of_a_short_run_begins_with_its_own_shorter_warm_up(tmp_path):
    module = train(tmp_path, total_steps=60)  # 6 of them are the warm-up
    average = 7.0  # of the first step after it
    for step in (8, 9, 10, 11, 12):
        average = (average + step) / 2
        if step == 8:
            assert module.validated[:2] == pytest.approx([4, average])
    assert module.validated[2] == float(module.weight) == pytest.approx(average)
