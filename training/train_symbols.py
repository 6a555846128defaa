"""Train a network that names one handwritten symbol: fit, score, draw, and write its bundle.

python training/train_symbols.py --data symbols_crohme --out runs/symbols
python training/train_symbols.py --data symbols_crohme --out runs/minus --net cnn_binary --only=-
python training/train_symbols.py --data symbols_crohme --out runs/symbols --resume true      (goes on from last.ckpt)
"""

import json
import logging
import sys
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
from pytorch_lightning.callbacks import LambdaCallback, ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger
from torch.utils.data import DataLoader

from im2latex.data.symbol_augment import SymbolAugmentConfig
from im2latex.data.symbols import (
    BatchNumbers,
    SymbolSet,
    TrainingBatches,
    ValidationBatches,
    draw_round_dots,
    drop_empty_classes,
    read_symbols,
)
from im2latex.models.symbol_cnn import NetName
from im2latex.optimizers import OptimizerConfig
from training.averaging import Averaging
from training.command import run_command
from training.lit_symbols import LitSymbols
from training.run_folder import check_checkpoint, refuse_earlier_run
from training.symbol_pictures import draw_curves
from training.symbol_scores import score_net, tell

BINARY = ("dense_binary", "cnn_binary")


@dataclass(frozen=True)
class SymbolTraining:
    """The whole configuration of a run; kept as config.json in its folder."""

    data: str
    """Folder or zip with train.npz and val.npz."""
    out: str
    """Folder of the run: checkpoint, curves, scores, pictures, bundle."""
    net: NetName = "best"
    only: str = "-"
    """The class that the two binary networks tell from all others."""
    epochs: int = 20
    batches_per_epoch: int = 250
    batch_size: int = 128
    plain: bool | None = None
    """As the notebook trained: symbols as they come, neither changed nor smoothed. None: all nets but the best."""
    evenness: float = 0.7
    """A class of n symbols is drawn in proportion to n ** evenness, unless `plain`."""
    augment: SymbolAugmentConfig = field(default_factory=SymbolAugmentConfig)
    optimizer: OptimizerConfig = field(
        default_factory=lambda: OptimizerConfig(
            learning_rate=3e-3, warmup_steps=100, label_smoothing=0.1, ema_decay=0.995
        )
    )
    limit: int | None = None
    """Read only so many symbols of each split."""
    seed: int = 0
    resume: bool = False
    """Go on from last.ckpt in the folder; an epoch that was cut short is begun again."""

    @property
    def is_plain(self) -> bool:
        """Whether symbols are taken as they come."""
        return self.net != "best" if self.plain is None else self.plain


def run(config: SymbolTraining) -> dict[str, Any]:
    """Fit, score, draw and export; returns what scores.json holds."""
    for name in ("pytorch_lightning", "pytorch_lightning.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.WARNING)
    folder = Path(config.out)
    if not config.resume:
        refuse_earlier_run(folder, "--resume true to go on, or another --out")
    train, val = drop_empty_classes(
        read_symbols(config.data, "train", config.limit), read_symbols(config.data, "val", config.limit)
    )
    if not config.is_plain:
        train = draw_round_dots(train)
    if config.net in BINARY:
        train, val = train.only(config.only), val.only(config.only)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(asdict(config), indent=2))
    fit(config, folder, train, val)
    return score(config, folder, val)


def fit(config: SymbolTraining, folder: Path, train: SymbolSet, val: SymbolSet) -> None:
    """Train until the last epoch; leaves last.ckpt, with averaged weights, and the curves."""
    lightning.seed_everything(config.seed, verbose=False)
    steps = config.optimizer.total_steps or config.epochs * config.batches_per_epoch
    optimizer = replace(config.optimizer, total_steps=steps)
    if config.is_plain:
        optimizer = replace(optimizer, label_smoothing=0.0)
    module = LitSymbols(config.net, train.classes, optimizer)
    last = folder / "last.ckpt" if config.resume else None
    if last:
        check_checkpoint(last, module, optimizer.name)
    augment = None if config.is_plain else config.augment
    evenness = 1.0 if config.is_plain else config.evenness
    batches = TrainingBatches(train, config.batch_size, augment, evenness, config.seed)
    numbers = BatchNumbers(config.batches_per_epoch)
    trainer = lightning.Trainer(
        accelerator="cpu",
        devices=1,
        precision="32-true",
        max_epochs=config.epochs,
        gradient_clip_val=1.0,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,  # batches are numbered, and drawn by their number
        enable_progress_bar=sys.stderr.isatty(),
        enable_model_summary=False,
        logger=CSVLogger(folder, name="", version=f"logs_{len(list(folder.glob('logs*')))}"),
        callbacks=[
            Averaging(decay=optimizer.ema_decay),
            ModelCheckpoint(folder, "last", every_n_epochs=1, enable_version_counter=False),
            LambdaCallback(on_train_epoch_start=lambda trainer, _: _count_on(numbers, trainer)),
        ],
    )
    trainer.fit(
        module,
        DataLoader(batches, batch_size=None, sampler=numbers),
        DataLoader(ValidationBatches(val, 500), batch_size=None),
        ckpt_path=last,
        weights_only=True,
    )


def _count_on(numbers: BatchNumbers, trainer: lightning.Trainer) -> None:
    """Lightning's own count of epochs starts anew in a resumed run; its count of steps does not."""
    numbers.first = trainer.global_step


def score(config: SymbolTraining, folder: Path, val: SymbolSet) -> dict[str, Any]:
    """What the averaged weights reach on the validation symbols; writes scores.json, pictures and the bundle."""
    module = LitSymbols.load(folder / "last.ckpt")
    scores = score_net(module.net, config.net, val, folder, writes_bundle=config.net not in BINARY)
    draw_curves(folder, folder / "curves.png")
    return scores


def _run(config: SymbolTraining) -> str:
    return tell(run(config), config.out)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 if the network was trained, 1 with a message if not."""
    return run_command(SymbolTraining, _run, arguments, name="train_symbols.py", usage=__doc__)


if __name__ == "__main__":
    sys.exit(main())
