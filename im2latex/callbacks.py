"""What a run shows while it trains: samples per second, its curves, and sheets of what the model reads and looks at."""

import time
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch
from PIL import Image
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import WandbLogger
from torch import Tensor

from im2latex.curves import draw_curves
from im2latex.data.dataset import FormulaBatch
from im2latex.explain.sheet import draw_attention
from im2latex.explanation import Attention, Explanation
from im2latex.images import Placement
from im2latex.latex.output import to_latex
from im2latex.lit_model import LitModel, Pairs
from im2latex.prediction import Prediction
from im2latex.tokenizer import PAD, UNK
from im2latex.visualize import draw_sheet, image_of

MAX_ATTENDED = 60
"""Tokens on a sheet of attention: a model that has hardly learned writes until it is stopped."""


class Throughput(Callback):
    """Logs `train/samples_per_second` over all ranks, validation left out, and `train/waiting`.

    That is the share of the time in which the next batch was waited for: near 0 where data keep up with the device.
    """

    def __init__(self) -> None:
        self._samples = 0
        self._began = self._ended = self._waited = 0.0

    def on_train_batch_start(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        batch: FormulaBatch,
        batch_idx: int,
    ) -> None:
        if self._samples == 0:
            self._began, self._waited = time.perf_counter(), 0.0
        else:
            self._waited += time.perf_counter() - self._ended

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: FormulaBatch,
        batch_idx: int,
    ) -> None:
        self._samples += len(batch.images) * trainer.world_size
        self._ended = time.perf_counter()
        if (trainer.global_step + 1) % trainer.log_every_n_steps == 0:  # type: ignore[attr-defined]
            seconds = self._ended - self._began
            pl_module.log("train/samples_per_second", self._samples / seconds, prog_bar=True)
            pl_module.log("train/waiting", self._waited / seconds)
            self._samples = 0

    def on_validation_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._samples = 0


class Curves(Callback):
    """Losses and scores so far, as `curves.png` in the run's folder: drawn before each validation and at the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_validation_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._draw(trainer)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._draw(trainer)

    def _draw(self, trainer: lightning.Trainer) -> None:
        if trainer.is_global_zero:
            for logger in trainer.loggers:
                logger.save()
            draw_curves(self.folder, self.folder / "curves.png")


class SamplePredictions(Callback):
    """After each validation: pictures with reference and prediction, and where the model looked for the first of them.

    Each is a sheet in the run's folder, `samples` and `attention`, and in W&B.
    """

    def __init__(self, folder: Path, count: int = 12) -> None:
        self.folder, self.count = folder, count

    def on_validation_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: LitModel,  # type: ignore[override]
        outputs: Pairs,  # type: ignore[override]
        batch: FormulaBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if batch_idx or not trainer.is_global_zero:
            return
        pairs = outputs[: self.count]
        captions = [(" ".join(reference), " ".join(prediction)) for prediction, reference in pairs]
        sheet = draw_sheet([image_of(image) for image in batch.images[: self.count]], captions)
        self._show(trainer, "samples", sheet)
        self._show(trainer, "attention", draw_attention(explain(pl_module, batch.images[0])))

    def _show(self, trainer: lightning.Trainer, kind: str, sheet: Image.Image) -> None:
        path = self.folder / kind / f"step-{trainer.global_step:07d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        sheet.save(path)
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.log_image(f"val/{kind}", [sheet], step=trainer.global_step)


@torch.inference_mode()
def explain(module: LitModel, image: Tensor) -> Explanation:
    """What the model reads in a prepared image (1, H, W), and where it looks; confidences are the model's own."""
    decoder, images = module.decoder(), image.unsqueeze(0)
    token_ids, log_probs = decoder(images)
    confidences = log_probs[0].double().exp()[: int(token_ids[0].ne(PAD).sum())]
    places = token_ids[0].gt(UNK).nonzero().flatten()[:MAX_ATTENDED]
    tokens = [module.tokenizer.vocab[token_id] for token_id in token_ids[0, places].tolist()]
    maps = decoder.attend(images, token_ids)[0, places].float().cpu().numpy()
    height, width = image.shape[1:]
    attention = Attention(maps, image.float().cpu(), Placement(0, 0, 1.0, 1.0, width, height))
    mean = float(confidences.log().mean().exp())
    read = Prediction(to_latex(tokens), " ".join(tokens), mean, confidences[places].tolist())
    return Explanation(image_of(image), read, attention, attention.boxes())
