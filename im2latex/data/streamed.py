"""A packed set that need not fit in memory: sizes are known, pictures are read from their shards when asked for."""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from im2latex.data.dataset import FormulaImages, count_tokens
from im2latex.data.packed import MANIFEST, read_manifest, read_shard, sha256_of
from im2latex.errors import DataError
from im2latex.tokenizer import Tokenizer


class StreamedImages(FormulaImages):
    """FormulaImages of which a few shards are in memory at a time, and 24 bytes of every sample."""

    def __init__(
        self,
        path: str | Path | Sequence[str | Path],
        tokenizer: Tokenizer,
        *,
        max_height: int | None = None,
        max_width: int | None = None,
        max_tokens: int | None = None,
        verify: bool = True,
        kept: int = 8,
    ) -> None:
        """Reads through all shards once, for sizes and checksums; `kept`: shards in memory. Otherwise as its parent."""
        paths = [path] if isinstance(path, str | Path) else path
        self._files = [file for each in paths for file in find_shards(Path(each), verify)]
        self._kept = kept
        self._open: OrderedDict[tuple[str, int], pa.ChunkedArray] = OrderedDict()
        scanned = [_scan(file) for file in self._files]
        self._starts = [0, *accumulate(len(lengths) for _, lengths in scanned)]
        sizes, lengths = (np.concatenate(part) for part in zip(*scanned, strict=True))
        limits = {"max_height": max_height, "max_width": max_width, "max_tokens": max_tokens}
        self._choose(tokenizer, sizes, lengths, limits, ", ".join(map(str, paths)))

    @property
    def shards(self) -> npt.NDArray[np.int64]:
        """(N,): the shard that every sample lies in, counted over all sets."""
        return np.searchsorted(self._starts, self._rows, side="right") - 1

    def keep(self, shards: int) -> None:
        """Hold so many shards in memory from now on."""
        self._kept = shards

    def _value(self, column: str, row: int) -> Any:
        shard = bisect_right(self._starts, row) - 1
        return self._column(column, shard)[row - self._starts[shard]].as_py()

    def _column(self, name: str, shard: int) -> pa.ChunkedArray:
        """A column of a shard; the one that was asked for longest ago makes room for it."""
        key = (name, shard)
        if key not in self._open:
            self._open[key] = read_shard(self._files[shard], [name])[name]
            own = [other for other in self._open if other[0] == name]
            for oldest in own[: -self._kept]:
                del self._open[oldest]
        self._open.move_to_end(key)
        return self._open[key]


def find_shards(folder: Path, verify: bool) -> list[Path]:
    """The shards of a packed set; raises DataError when there are none, or when one is missing or damaged."""
    files = []
    for shard in read_manifest(folder)["shards"]:
        file = folder / shard["file"]
        if not file.is_file():
            raise DataError(f"{file} is named in {MANIFEST} but missing: prepare or copy the set again")
        if verify and sha256_of(file) != shard["sha256"]:
            raise DataError(f"{file} is damaged: its SHA-256 is not that of {MANIFEST}; copy it again")
        files.append(file)
    if not files:
        raise DataError(f"{folder} holds no shards: its formula list was empty")
    return files


def _scan(file: Path) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Sizes (N, 2) and lengths (N,) of a shard's samples."""
    table = read_shard(file, ["height", "width", "tokens"])
    return np.stack([table["height"].to_numpy(), table["width"].to_numpy()], axis=1), count_tokens(table["tokens"])
