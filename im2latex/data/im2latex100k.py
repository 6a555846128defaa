"""Im2Latex100K: the LightningDataModule that makes batches of any packed, official or downloaded data set."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytorch_lightning as lightning

from im2latex.data.dataset import FormulaImages
from im2latex.data.loader import Augments, FormulaBatches, ResumableLoader
from im2latex.data.packed import read_counts, read_tokenizer
from im2latex.data.sampler import BatchBudget, BucketBatchSampler
from im2latex.data.sources import SPLITS, draw_split, find_splits
from im2latex.data.stream_order import StreamBatchSampler, StreamConfig
from im2latex.data.streamed import StreamedImages
from im2latex.errors import DataError
from im2latex.images import ImageSpec
from im2latex.tokenizer import Tokenizer

SMALL = str(Path(__file__).parent / "small")


@dataclass(frozen=True)
class DataConfig:
    """Which samples, and how they are put into batches."""

    path: str = SMALL
    """A packed set, a folder of them named train, val and test, or a folder in the official layout of
    IM2LATEX-100K, which is packed first. Default: the small set that ships."""
    also: tuple[str, ...] = ()
    """More packed sets to train on; a set named twice is seen twice as often."""
    download: bool = False
    """Fetch the official IM2LATEX-100K into `path` if there is no data set."""
    val_path: str | None = None
    """A packed set to validate on, in place of the one in `path`."""
    val_fraction: float = 0.02
    """Share of a single packed set that is kept for validation, and once more for test; `also` lacks its formulas."""
    max_height: int = 192
    """Higher training pictures (pixels, as stored) are left out; others are not, unless `filter_val` says so."""
    max_width: int = 768
    """Likewise for wider ones."""
    max_tokens: int = 256
    """Likewise for longer formulas."""
    filter_val: bool = False
    """Leave the same out of validation and test, as for a model that is to read small pictures only."""
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
    stream: bool = False
    """Read pictures from their shards when they are needed: for sets that do not fit in memory."""
    streaming: StreamConfig = field(default_factory=StreamConfig)
    """How much of a streamed set is mixed, and in memory, at a time."""


class Im2Latex100K(lightning.LightningDataModule):
    """IM2LATEX-100K or any packed set; it knows ranks itself (use Trainer(use_distributed_sampler=False))."""

    def __init__(
        self, config: DataConfig, spec: ImageSpec, augment: Augments | None = None, known: Sequence[str] = ()
    ) -> None:
        """Finds (or, once, packs) the data and reads its vocabulary; raises DataError when there is none.

        `known`: the vocabulary of a model that goes on learning; its tokens keep their ids, new ones follow.
        """
        super().__init__()
        self.config, self.spec = config, spec
        self._augment = augment if config.augment else None
        self._folders = find_splits(Path(config.path), config.download, max(1, config.workers))
        if config.val_path is not None:
            self._folders = {**self._folders, "val": Path(config.val_path)}
        self._also = [Path(folder) for folder in config.also]
        found = read_tokenizer(self._folders["train"], config.min_count, self._also)
        self.tokenizer: Tokenizer = found.after(known)
        self._samples: dict[str, FormulaImages] = {}

    def setup(self, stage: str | None = None) -> None:
        """Loads what the stage needs (None: all); a second call loads nothing again."""
        wanted = {"fit": ("train", "val"), "validate": ("val",), "test": ("test",)}
        for split in SPLITS if stage is None else wanted[stage]:
            self.samples(split)

    def counts(self) -> Counter[str]:
        """How often each token stands in the sets that are trained on, whatever the limits leave of them."""
        return read_counts([self._folders["train"], *self._also])

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
        config, folder, training = self.config, self._folders[split], split == "train"
        filtered = training or config.filter_val
        kind = StreamedImages if config.stream else FormulaImages
        samples = kind(
            [folder, *(self._also if training else ())],
            self.tokenizer,
            max_height=config.max_height if filtered else None,
            max_width=config.max_width if filtered else None,
            max_tokens=config.max_tokens if filtered else None,
            verify=config.verify,
        )
        if list(self._folders.values()).count(folder) == 1:
            return samples
        part = samples.select(lambda tokens: draw_split(tokens, config.val_fraction, config.seed) == split)
        if not len(part):
            raise DataError(f"{folder} has {len(samples)} samples, none for {split}: raise val_fraction")
        return part

    def _loader(self, split: str) -> ResumableLoader:
        samples, config, training = self.samples(split), self.config, split == "train"
        sampler = self._sampler(samples, shuffle=training)
        augment = self._augment if training else None
        batches = FormulaBatches(samples, self.spec, augment, config.seed)
        return ResumableLoader(batches, sampler, config.workers)

    def _sampler(self, samples: FormulaImages, shuffle: bool) -> BucketBatchSampler:
        config, multiple, sizes, lengths = self.config, self.spec.multiple, samples.sizes, samples.lengths
        if not isinstance(samples, StreamedImages):
            return BucketBatchSampler(
                sizes, lengths, budget=config.budget, seed=config.seed, shuffle=shuffle, multiple=multiple
            )
        order = StreamBatchSampler(
            sizes,
            lengths,
            samples.shards,
            stream=config.streaming,
            budget=config.budget,
            seed=config.seed,
            shuffle=shuffle,
            multiple=multiple,
        )
        samples.keep(order.kept)
        return order
