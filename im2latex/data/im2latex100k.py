"""Im2Latex100K: the LightningDataModule that turns a prepared data set into training, validation and test batches."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import pytorch_lightning as lightning

from im2latex.data.dataset import FormulaImages
from im2latex.data.loader import Augment, FormulaBatches, ResumableLoader
from im2latex.data.packed import MANIFEST, read_tokenizer
from im2latex.data.sampler import BatchBudget, BucketBatchSampler
from im2latex.errors import DataError
from im2latex.images import ImageSpec
from im2latex.tokenizer import Tokenizer

SMALL = str(Path(__file__).parent / "small")


@dataclass(frozen=True)
class DataConfig:
    """Which samples, and how they are put into batches."""

    path: str = SMALL
    """A packed set, or a folder of packed sets named train, val and test. Default: the small set that ships."""
    val_path: str | None = None
    """A packed set to validate on, in place of the one in `path`."""
    val_fraction: float = 0.02
    """Share of a single packed set that is kept for validation, and once more for test; whole formulas only."""
    max_height: int = 192
    max_width: int = 768
    max_tokens: int = 256
    """Longer or larger training samples are left out; validation and test leave nothing out."""
    min_count: int | None = None
    """Rarer tokens are unknown to the model; None: as the vocabulary was saved with the data."""
    budget: BatchBudget = field(default_factory=BatchBudget)
    augment: bool = True
    """Vary scale, ink and contrast of training pictures; never of validation or test pictures."""
    workers: int = 0
    """Processes that decode pictures; 0: the training process itself."""
    seed: int = 0
    verify: bool = True
    """Compare the checksums of all shards when loading."""


class Im2Latex100K(lightning.LightningDataModule):
    """IM2LATEX-100K or any packed set; it knows ranks itself (use Trainer(use_distributed_sampler=False))."""

    def __init__(self, config: DataConfig, spec: ImageSpec, augment: Augment | None = None) -> None:
        """Reads the vocabulary only; raises DataError when there is no packed set at `config.path`."""
        super().__init__()
        self.config, self.spec = config, spec
        self._augment = augment if config.augment else None
        self._folders = _find_splits(Path(config.path))
        if config.val_path is not None:
            self._folders = {**self._folders, "val": Path(config.val_path)}
        self.tokenizer: Tokenizer = read_tokenizer(self._folders["train"], config.min_count)
        self._samples: dict[str, FormulaImages] = {}

    def setup(self, stage: str | None = None) -> None:
        """Loads what the stage needs (None: all); a second call loads nothing again."""
        wanted = {"fit": ("train", "val"), "validate": ("val",), "test": ("test",)}
        for split in wanted.get(stage or "", ("train", "val", "test")):
            self.samples(split)

    def samples(self, split: str) -> FormulaImages:
        """The samples of `train`, `val` or `test`."""
        if split not in self._samples:
            self._samples[split] = self._load(split)
        return self._samples[split]

    def train_dataloader(self) -> ResumableLoader:
        return self._loader("train")

    def val_dataloader(self) -> ResumableLoader:
        return self._loader("val")

    def test_dataloader(self) -> ResumableLoader:
        return self._loader("test")

    def _load(self, split: str) -> FormulaImages:
        config, folder = self.config, self._folders[split]
        limits = (config.max_height, config.max_width, config.max_tokens) if split == "train" else (None, None, None)
        height, width, length = limits
        samples = FormulaImages(
            folder, self.tokenizer, max_height=height, max_width=width, max_tokens=length, verify=config.verify
        )
        if list(self._folders.values()).count(folder) == 1:
            return samples
        part = samples.select(lambda tokens: draw_split(tokens, config.val_fraction, config.seed) == split)
        if not len(part):
            raise DataError(f"{folder} has {len(samples)} samples, none for {split}: raise val_fraction")
        return part

    def _loader(self, split: str) -> ResumableLoader:
        samples, config, training = self.samples(split), self.config, split == "train"
        sampler = BucketBatchSampler(
            samples.sizes,
            samples.lengths,
            budget=config.budget,
            seed=config.seed,
            shuffle=training,
            multiple=self.spec.multiple,
        )
        augment = self._augment if training else None
        return ResumableLoader(FormulaBatches(samples, self.spec, augment, config.seed), sampler, config.workers)


def draw_split(tokens: str, fraction: float, seed: int) -> str:
    """`train`, `val` or `test`, from the formula and the seed alone: equal formulas stay together."""
    digest = hashlib.blake2b(f"{seed} {tokens}".encode(), digest_size=8).digest()
    draw = int.from_bytes(digest, "big") / 2**64
    return "val" if draw < fraction else "test" if draw < 2 * fraction else "train"


def _find_splits(path: Path) -> dict[str, Path]:
    if (path / MANIFEST).is_file():
        return dict.fromkeys(("train", "val", "test"), path)
    folders = {split: path / split for split in ("train", "val", "test")}
    missing = [str(folder) for folder in folders.values() if not (folder / MANIFEST).is_file()]
    if missing:
        raise DataError(
            f"no packed set at {path} (no {MANIFEST}, none in {', '.join(missing)}):"
            " make one with training/prepare_data.py --formulas FILE --out FOLDER"
        )
    return folders
