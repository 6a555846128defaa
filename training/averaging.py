"""The average of the weights over the last steps: what is validated, kept in checkpoints and exported."""

from typing import Any

import pytorch_lightning as lightning
from pytorch_lightning.callbacks import EMAWeightAveraging

from im2latex.lit_model import LitModel
from training.lit_symbols import LitSymbols


class Averaging(EMAWeightAveraging):
    """An exponential average from the end of the warm-up on; until then it is the weights as they are."""

    def on_train_start(self, trainer: lightning.Trainer, pl_module: LitModel | LitSymbols) -> None:  # type: ignore[override]
        self.update_starting_at_step = pl_module.warmup_steps

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        if self._latest_update_step == 0:  # else a short or early look would see the weights before training
            assert self._average_model is not None, "made before the fit"
            self._average_model.module.load_state_dict(pl_module.state_dict())
