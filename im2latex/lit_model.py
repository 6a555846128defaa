"""LitModel: a formula model with its loss, optimizer, schedule and metrics."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import pytorch_lightning as lightning
import torch
import torch.distributed
import torch.nn.functional as F
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor

from im2latex import metrics
from im2latex.bundle import Bundle, load_bundle
from im2latex.data.dataset import FormulaBatch
from im2latex.decoding import Decoder
from im2latex.errors import ConfigError, DataError
from im2latex.images import ImageSpec
from im2latex.latex.grammar import Grammar
from im2latex.models import Adapts, ModelConfig, Penalises, describe_model, read_model
from im2latex.models.tied import tied
from im2latex.optimizers import OptimizerConfig, build_optimizer, capped_warmup, warmup_cosine
from im2latex.tokenizer import EOS, PAD, Tokenizer

BIASES = ("model.output_bias", "model.output.bias")
"""Of the logits, in whichever model."""
ROWS_OF_TOKENS = ("model.embedding.weight", "model.output.weight", *BIASES)
"""Parameters with a row a token, in whichever models have them."""
Pairs = list[tuple[list[str], list[str]]]


class LitModel(lightning.LightningModule):
    """Everything a run learns, with the vocabulary and image spec it was learned on: a checkpoint is complete."""

    def __init__(
        self, model: ModelConfig, optimizer: OptimizerConfig, vocab: list[str], spec: ImageSpec, seed: int = 0
    ) -> None:
        super().__init__()
        self.save_hyperparameters(
            {
                "model": describe_model(model),
                "optimizer": asdict(optimizer),
                "vocab": vocab,
                "spec": asdict(spec),
                "seed": seed,
            }
        )
        self.model_config, self.optimizer_config, self.spec, self.seed = model, optimizer, spec, seed
        self.tokenizer = Tokenizer(vocab)
        self.model: Any = model.build(len(vocab)).to(memory_format=torch.channels_last)
        self._decoder = [
            Decoder(self.model, model.max_tokens, Grammar.of(vocab, end=EOS, pad=PAD))
        ]  # in a list: its parameters are the model's, not more
        self._read: Pairs = []

    @classmethod
    def load(cls, path: str | Path) -> "LitModel":
        """The model of a checkpoint, with its averaged (EMA) weights if the run kept them; DataError if it is none."""
        try:
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
            kept = checkpoint["hyper_parameters"]
        except (OSError, RuntimeError, KeyError, UnpicklingError) as error:
            raise DataError(
                f"{Path(path).name} is no checkpoint of training/run_experiment.py: {error}"
            ) from error
        module = cls(
            read_model(kept["model"]),
            OptimizerConfig(**kept["optimizer"]),
            kept["vocab"],
            ImageSpec(**kept["spec"]),
            kept["seed"],
        )
        module.load_state_dict(checkpoint["state_dict"])
        return module.eval()

    @classmethod
    def vocabulary_of(cls, path: str | Path | None) -> list[str]:
        """The vocabulary of a checkpoint, or of a bundle (`.pt`); None has none."""
        return cls.read_source(path).tokenizer.vocab if path else []

    @classmethod
    def read_source(cls, path: str | Path) -> "Bundle | LitModel":
        """What a checkpoint holds, or a bundle (`.pt`)."""
        return load_bundle(path) if str(path).endswith(".pt") else cls.load(path)

    def take_weights(self, path: str | Path) -> None:
        """Begin with the weights of a checkpoint, or of a bundle (`.pt`); ConfigError if the sizes differ.

        Tokens are matched by name: one that the source does not know keeps its fresh embedding. Heads that share keys
        and values (`memory_heads`) may take them from heads that do not.
        """
        source = self.read_source(path)
        weights = source.decoder.state_dict() if isinstance(source, Bundle) else source.state_dict()
        known = {token: row for row, token in enumerate(source.tokenizer.vocab)}
        here = torch.tensor([row for row, token in enumerate(self.tokenizer.vocab) if token in known])
        there = torch.tensor([known[token] for token in self.tokenizer.vocab if token in known])
        for name, own in self.state_dict().items():
            given = weights.get(name)
            if given is not None and isinstance(self.model, Adapts):
                given = self.model.adapt(name, given)
            of_tokens = name in ROWS_OF_TOKENS
            if given is None or given.shape[of_tokens:] != own.shape[of_tokens:]:
                raise ConfigError(f"{Path(path).name} does not fit this model: {name} is missing or of another size")
            if of_tokens:
                own[here] = given[there].to(own.dtype)
            else:
                own.copy_(given)

    def expect(self, counts: Mapping[str, int]) -> None:
        """Begin with each token's share of all, by `counts`, as its output bias: no weight then needs to learn it.

        The tanh units of I2L saturated within 40 steps of learning it (docs/experiments.md). Label smoothing is
        expected, too.
        """
        smoothing = self.optimizer_config.label_smoothing
        seen = torch.tensor([max(1, counts.get(token, 0)) for token in self.tokenizer.vocab], dtype=torch.float64)
        shares = (1 - smoothing) * seen / seen.sum() + smoothing / len(seen)
        for name, parameter in self.named_parameters():
            if name in BIASES:
                parameter.data.copy_(shares.log())

    def freeze_parts(self, parts: Sequence[str]) -> None:
        """Let parts of the model, by name, learn nothing, nor gather statistics; ConfigError if one is not there."""
        for part in parts:
            found = dict(self.model.named_children()).get(part)
            if found is None:
                names = ", ".join(name for name, _ in self.model.named_children())
                raise ConfigError(f"the model has no part named {part!r} to freeze, only {names}")
            found.requires_grad_(False).eval()  # Lightning keeps it in this mode

    def decoder(self) -> Decoder:
        """The decoder over this model: the module that validation runs and that export scripts."""
        return self._decoder[0].to(self.device)  # the tables of its grammar are not among the model's own

    def teacher_forced_loss(self, images: Tensor, token_ids: Tensor, label_smoothing: float) -> Tensor:
        """Cross-entropy, nats a token, of each token after the true ones before it; padding does not count.

        While training, the loss that a model has of its own is added.
        """
        memory = self.model.encode(images)  # (B, S, D)
        penalty: Tensor | float = 0.0
        if self.training and isinstance(self.model, Penalises):
            logits, penalty = self.model.decode_and_penalise(token_ids[:, :-1], memory)
        else:
            logits = self.model.decode(token_ids[:, :-1], memory)  # (B, T - 1, V)
        cross_entropy = F.cross_entropy(
            logits.flatten(0, 1).float(),
            token_ids[:, 1:].flatten(),
            ignore_index=PAD,
            label_smoothing=label_smoothing,
        )
        return cross_entropy + penalty

    def on_train_batch_start(self, batch: FormulaBatch, batch_idx: int) -> None:
        """Dropout depends on seed, step and rank only, so that a resumed run goes on exactly."""
        step = self.trainer.fit_loop.total_batch_idx + 1
        torch.manual_seed((self.seed * 1_000_003 + step) * 1_009 + self.global_rank)

    def training_step(self, batch: FormulaBatch, batch_idx: int) -> Tensor:
        with tied(self.model):
            loss = self.teacher_forced_loss(batch.images, batch.token_ids, self.optimizer_config.label_smoothing)
        self.log("train/loss", loss, prog_bar=True, batch_size=len(batch.images))
        return loss

    def validation_step(self, batch: FormulaBatch, batch_idx: int) -> Pairs:  # type: ignore[override]
        """Reads the pictures; the pairs (prediction, reference) go to the callbacks."""
        return self._read_batch(batch, "val")

    def test_step(self, batch: FormulaBatch, batch_idx: int) -> Pairs:  # type: ignore[override]
        return self._read_batch(batch, "test")

    def on_validation_epoch_end(self) -> None:
        self._log_scores("val")

    def on_test_epoch_end(self) -> None:
        self._log_scores("test")

    def _read_batch(self, batch: FormulaBatch, split: str) -> Pairs:
        loss = self.teacher_forced_loss(batch.images, batch.token_ids, label_smoothing=0.0)
        self.log(f"{split}/loss", loss, batch_size=len(batch.images), sync_dist=True)
        read_ids, _ = self.decoder()(batch.images)
        pairs = [
            (self.tokenizer.decode(read).split(), self.tokenizer.decode(true[1:]).split())
            for read, true in zip(read_ids.tolist(), batch.token_ids.tolist(), strict=True)
        ]
        self._read += pairs
        return pairs

    def _log_scores(self, split: str) -> None:
        """Scores over the whole split and all ranks; an average over batches or ranks would be another number."""
        pairs, self._read = self._gathered(self._read), []
        predictions, references = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        self.log(
            f"{split}/edit_score",
            metrics.edit_score(predictions, references),
            prog_bar=True,
            rank_zero_only=True,
        )
        self.log(
            f"{split}/bleu", metrics.corpus_bleu(predictions, references), prog_bar=True, rank_zero_only=True
        )
        self.log(f"{split}/exact_match", metrics.exact_match(predictions, references), rank_zero_only=True)

    def _gathered(self, pairs: Pairs) -> Pairs:
        if self.trainer.world_size == 1:
            return pairs
        of_ranks: list[Any] = [None] * self.trainer.world_size
        torch.distributed.all_gather_object(of_ranks, pairs)
        return [pair for of_rank in of_ranks for pair in of_rank]

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        config = self.optimizer_config
        optimizer = build_optimizer(self.model, config, bf16=self.trainer.precision == "bf16-mixed")
        total_steps = config.total_steps or self._planned_steps()
        self.warmup_steps = capped_warmup(config, total_steps)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, warmup_cosine(config, total_steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _planned_steps(self) -> int:
        """Optimizer steps until the trainer's end, 0 if it has none.

        Not `trainer.estimated_stepping_batches`: that sets the loader up before a resumed run knows its place in it.
        """
        trainer = self.trainer
        if trainer.max_steps > 0 or not trainer.max_epochs or trainer.max_epochs < 0:
            return max(trainer.max_steps, 0)
        batches = len(trainer.datamodule.train_dataloader())  # type: ignore[attr-defined]
        return trainer.max_epochs * math.ceil(batches / trainer.accumulate_grad_batches)
