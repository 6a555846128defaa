"""LitSymbols: a symbol network with its loss, optimizer and share of right answers."""

from dataclasses import asdict
from pathlib import Path
from pickle import UnpicklingError

import pytorch_lightning as lightning
import torch
import torch.nn.functional as F
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor

from im2latex.data.symbols import SymbolBatch
from im2latex.errors import DataError
from im2latex.models.symbol_cnn import NetName, build_symbol_net
from im2latex.optimizers import OptimizerConfig, build_optimizer, capped_warmup, warmup_cosine


class LitSymbols(lightning.LightningModule):
    """Everything a run learns, with the names of its classes: a checkpoint is complete."""

    def __init__(self, net: NetName, classes: tuple[str, ...], optimizer: OptimizerConfig) -> None:
        super().__init__()
        self.save_hyperparameters({"net": net, "classes": list(classes), "optimizer": asdict(optimizer)})
        self.net_name, self.classes, self.optimizer_config = net, classes, optimizer
        self.net = build_symbol_net(net, len(classes))
        self._right: list[Tensor] = []

    @classmethod
    def load(cls, path: str | Path) -> "LitSymbols":
        """The network of a checkpoint, with its averaged weights; DataError if it is none."""
        try:
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
            kept = checkpoint["hyper_parameters"]
            module = cls(kept["net"], tuple(kept["classes"]), OptimizerConfig(**kept["optimizer"]))
        except (OSError, RuntimeError, KeyError, UnpicklingError) as error:
            raise DataError(f"{Path(path).name} is no checkpoint of training/train_symbols.py: {error}") from error
        module.load_state_dict(checkpoint["state_dict"])
        return module.eval()

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, classes) of images (B, 1, side, side)."""
        logits: Tensor = self.net(images)
        return logits

    def training_step(self, batch: SymbolBatch, batch_idx: int) -> Tensor:
        images, labels = batch
        loss = F.cross_entropy(self(images), labels, label_smoothing=self.optimizer_config.label_smoothing)
        self.log("train/loss", loss, on_step=False, on_epoch=True, prog_bar=True, batch_size=len(labels))
        return loss

    def validation_step(self, batch: SymbolBatch, batch_idx: int) -> None:
        images, labels = batch
        logits = self(images)
        self.log("val/loss", F.cross_entropy(logits, labels), batch_size=len(labels))
        self._right.append(logits.argmax(1) == labels)

    def on_validation_epoch_end(self) -> None:
        right, self._right = torch.cat(self._right), []
        self.log("val/accuracy", 100 * right.float().mean(), prog_bar=True)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        config = self.optimizer_config
        optimizer = build_optimizer(self.net, config)
        self.warmup_steps = capped_warmup(config, config.total_steps)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, warmup_cosine(config, config.total_steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
