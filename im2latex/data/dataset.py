"""FormulaImages: a packed data set in memory, a picture and its token ids per item."""

import io
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from im2latex.data.packed import read_packed
from im2latex.errors import DataError
from im2latex.tokenizer import Tokenizer


class FormulaBatch(NamedTuple):
    """What a model is trained on; `indices` are positions in the data set."""

    images: Tensor  # (B, 1, H, W) float32, ink 1, paper 0
    token_ids: Tensor  # (B, T) int64: BOS, tokens, EOS, then PAD
    indices: Tensor  # (B,) int64


class FormulaImages(Dataset[tuple[Image.Image, list[int]]]):
    """Pictures stay compressed in memory (about 2 KB each) and are decoded when asked for."""

    def __init__(
        self,
        path: str | Path | Sequence[str | Path],
        tokenizer: Tokenizer,
        *,
        max_height: int | None = None,
        max_width: int | None = None,
        max_tokens: int | None = None,
        verify: bool = True,
    ) -> None:
        """Reads all shards of a packed set, or of several.

        Limits (pixels, pixels, tokens; None: no limit) leave longer samples out. Raises DataError when a set is
        missing, damaged or empty, or when the limits leave nothing.
        """
        columns = ["image", "height", "width", "tokens", "source"]
        paths = [path] if isinstance(path, str | Path) else path
        table = pa.concat_tables(read_packed(Path(each), columns, verify) for each in paths).combine_chunks()
        self._table = table
        sizes = np.stack([table["height"].to_numpy(), table["width"].to_numpy()], axis=1)
        limits = {"max_height": max_height, "max_width": max_width, "max_tokens": max_tokens}
        self._choose(tokenizer, sizes, count_tokens(table["tokens"]), limits, ", ".join(map(str, paths)))

    def _choose(
        self,
        tokenizer: Tokenizer,
        sizes: npt.NDArray[Any],
        lengths: npt.NDArray[Any],
        limits: Mapping[str, int | None],
        name: str,
    ) -> None:
        """Keep the rows of all that the limits allow; raises DataError when that leaves none."""
        self.tokenizer = tokenizer
        self._all_sizes = sizes.astype(np.int64).reshape(-1, 2)
        self._all_lengths = lengths.astype(np.int64)
        keep = np.ones(len(lengths), dtype=bool)
        for limit, values in zip(limits.values(), (*self._all_sizes.T, self._all_lengths), strict=True):
            if limit is not None:
                keep &= values <= limit
        self._rows = np.flatnonzero(keep)
        if not len(self._rows):
            wanted = ", ".join(f"{limit}={value}" for limit, value in limits.items())
            raise DataError(f"{name}: of {len(lengths)} samples none is left by {wanted}")

    def _value(self, column: str, row: int) -> Any:
        """What the packed set holds there; rows are counted over all its shards."""
        return self._table[column][row].as_py()

    def select(self, keep: Callable[[str], bool]) -> Self:
        """The samples whose tokens (one string) `keep` accepts; pictures are shared, not copied."""
        part = copy(self)
        part._rows = np.array([row for row in self._rows if keep(self._value("tokens", int(row)))], dtype=np.int64)
        return part

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """(N, 2): height and width of every picture in pixels, as stored."""
        return self._all_sizes[self._rows]

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """(N,): tokens of every formula, without BOS and EOS."""
        return self._all_lengths[self._rows]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> tuple[Image.Image, list[int]]:
        """The picture (PIL, mode L, as stored) and its token ids, without BOS and EOS."""
        image = Image.open(io.BytesIO(self._value("image", self._rows[index]))).convert("L")
        return image, self.tokenizer.encode(self.tokens(index))

    def tokens(self, index: int) -> list[str]:
        """The canonical tokens of a sample, before any of them became UNK."""
        text: str = self._value("tokens", self._rows[index])
        return text.split()

    def source(self, index: int) -> str:
        """Where the formula of a sample came from."""
        name: str = self._value("source", self._rows[index])
        return name


def count_tokens(tokens: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """Tokens of each formula, which lie there as one string."""
    spaces = pc.count_substring(tokens, " ").to_numpy()
    filled = pc.greater(pc.binary_length(tokens), 0).to_numpy()
    counts: npt.NDArray[np.int64] = (spaces + filled).astype(np.int64)
    return counts
