"""Sets of single symbols: train.npz and val.npz, in a folder or a zip, become squares and batches."""

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from im2latex.data.symbol_augment import SymbolAugmentConfig, augment_symbols
from im2latex.errors import DataError
from im2latex.symbol_image import SIDE, normalize_symbol, to_input

ARRAYS = ("images", "labels", "classes")
DOT = "."
DISCS = (2.0, 60.0)
"""Diameters of drawn dots, in px, least and largest."""
SymbolBatch = tuple[Tensor, Tensor]
"""Images (B, 1, SIDE, SIDE) and labels (B,)."""


@dataclass(frozen=True)
class SymbolSet:
    """Symbols in their squares (N, SIDE, SIDE), uint8, ink 255; labels (N,) count in `classes`."""

    squares: Tensor
    labels: Tensor
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def only(self, name: str) -> "SymbolSet":
        """The same symbols with two classes: all others, and this one."""
        if name not in self.classes:
            raise DataError(f"there is no class {name!r} among the {len(self.classes)} classes")
        return SymbolSet(self.squares, (self.labels == self.classes.index(name)).long(), ("other", name))


def read_symbols(path: str | Path, split: str, limit: int | None = None) -> SymbolSet:
    """`split` ("train" or "val") of a folder or zip that holds train.npz and val.npz; at most `limit` symbols of it.

    Each has `images` (N, height, width) uint8, `labels` (N,) and `classes`. Raises DataError when they are not there.
    """
    images, labels, classes = _read_arrays(Path(path), split)
    squares = np.zeros((len(images[:limit]), SIDE, SIDE), dtype=np.uint8)
    for square, image in zip(squares, images, strict=False):
        square[:] = np.asarray(normalize_symbol(Image.fromarray(image)))
    names = tuple(str(name) for name in classes)
    return SymbolSet(torch.from_numpy(squares), torch.from_numpy(labels[:limit].astype(np.int64)), names)


def _read_arrays(path: Path, split: str) -> list["np.ndarray[tuple[int, ...], np.dtype[np.uint8]]"]:
    """Images, labels and names of the classes of a split."""
    try:
        if path.is_dir():
            data = (path / f"{split}.npz").read_bytes()
        else:
            with zipfile.ZipFile(path) as archive:
                data = archive.read(next(name for name in archive.namelist() if name.endswith(f"{split}.npz")))
        with np.load(io.BytesIO(data)) as arrays:
            return [arrays[name] for name in ARRAYS]
    except (OSError, KeyError, StopIteration, ValueError, zipfile.BadZipFile) as error:
        wanted = f"a folder or zip with {split}.npz that holds {', '.join(ARRAYS)}"
        raise DataError(f"{path.name} is no set of symbols ({error!r}), wanted {wanted}") from error


def draw_round_dots(symbols: SymbolSet) -> SymbolSet:
    """Every other dot becomes a disc: a pen leaves a short stroke, but people also paint and print dots.

    Discs come in all sizes, since few pixels are not round.
    """
    if DOT not in symbols.classes:
        return symbols
    dots = (symbols.labels == symbols.classes.index(DOT)).nonzero().flatten()[::2].tolist()
    squares = symbols.squares.clone()
    for place, diameter in zip(dots, np.geomspace(*DISCS, len(dots)).tolist(), strict=True):
        squares[place] = torch.from_numpy(np.array(normalize_symbol(_draw_disc(diameter))))
    return SymbolSet(squares, symbols.labels, symbols.classes)


def _draw_disc(diameter: float) -> Image.Image:
    """A black disc on white, with soft edges; there is more paper than ink, or ink would pass for paper."""
    side = 2 * int(diameter) + 5
    away = np.hypot(*(np.indices((side, side)) - (side - 1) / 2))
    ink = np.clip((diameter + 1) / 2 - away, 0, 1)
    return Image.fromarray(np.uint8(255 - 255 * ink))


def drop_empty_classes(train: SymbolSet, val: SymbolSet) -> tuple[SymbolSet, SymbolSet]:
    """Both sets without the classes that have nothing to learn from, and without the symbols of those."""
    if train.classes != val.classes:
        raise DataError(f"train has {len(train.classes)} classes, val {len(val.classes)}: wanted the same")
    counts = torch.bincount(train.labels, minlength=len(train.classes)).tolist()
    classes = tuple(name for name, count in zip(train.classes, counts, strict=True) if count)
    return keep_classes(train, classes), keep_classes(val, classes)


def keep_classes(symbols: SymbolSet, classes: tuple[str, ...]) -> SymbolSet:
    """The symbols of these classes, which then are their only ones; DataError where one is not in the set."""
    if missing := sorted(set(classes) - set(symbols.classes)):
        raise DataError(f"{len(missing)} of {len(classes)} classes are not in the set, the first is {missing[0]}")
    number = torch.tensor([classes.index(name) if name in classes else -1 for name in symbols.classes])[symbols.labels]
    kept = number >= 0
    return SymbolSet(symbols.squares[kept], number[kept], classes)


class TrainingBatches(Dataset[SymbolBatch]):
    """Batch number k of training, which depends on seed and k alone: rare classes are drawn more often.

    A class of n symbols is drawn in proportion to n ** `evenness`: 1 as they come, 0 all equally often.
    """

    def __init__(
        self, symbols: SymbolSet, batch_size: int, augment: SymbolAugmentConfig | None, evenness: float, seed: int
    ) -> None:
        self.symbols, self.batch_size, self.augment, self.seed = symbols, batch_size, augment, seed
        counts = torch.bincount(symbols.labels).clamp(min=1)
        self._weights = counts.double().pow(evenness - 1)[symbols.labels].cumsum(0)

    def __getitem__(self, number: int) -> SymbolBatch:
        random = torch.Generator().manual_seed(self.seed * 1_000_003 + number)
        draws = torch.rand(self.batch_size, generator=random, dtype=torch.float64) * self._weights[-1]
        chosen = torch.searchsorted(self._weights, draws)
        squares = self.symbols.squares[chosen]
        if self.augment is None:
            return to_input(squares), self.symbols.labels[chosen]
        images = augment_symbols(squares.unsqueeze(1).float() / 255, self.augment, random)
        return images, self.symbols.labels[chosen]


class BatchNumbers(Sampler[int]):
    """Counts batches through all epochs, so that a resumed run draws what an unbroken one draws."""

    def __init__(self, per_epoch: int) -> None:
        self.per_epoch = per_epoch
        self.first = 0
        """Of the next epoch: as many as there were before."""

    def __iter__(self) -> Iterator[int]:
        # A generator: Lightning makes the iterator of a resumed run before it says where that run is.
        yield from range(self.first, self.first + self.per_epoch)

    def __len__(self) -> int:
        return self.per_epoch


class ValidationBatches(Dataset[SymbolBatch]):
    """All symbols in order, as they are."""

    def __init__(self, symbols: SymbolSet, batch_size: int) -> None:
        self.symbols, self.batch_size = symbols, batch_size

    def __getitem__(self, number: int) -> SymbolBatch:
        part = slice(number * self.batch_size, (number + 1) * self.batch_size)
        return to_input(self.symbols.squares[part]), self.symbols.labels[part]

    def __len__(self) -> int:
        return -(-len(self.symbols) // self.batch_size)
