"""The bytes of a picture, from wherever its entry says they lie."""

import bz2
import gzip
import lzma
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from im2latex.bulk.rows import Picture
from im2latex.bulk.sources import Entry, image_column

MAX_BYTES = 2**28
"""A larger file is refused unread: it would not fit beside the others."""
LOCAL_HEAD = 30
"""Bytes of the head of a zip entry before its name."""
ROWS_AT_A_TIME = 64
OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".tgz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
UNREADABLE = (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, pa.ArrowInvalid)


class Reader:
    """Reads entries; the file of the last one stays open, since the next one mostly lies behind it."""

    def __init__(self) -> None:
        self._open: tuple[str, IO[bytes] | Rows] | None = None

    def read(self, entry: Entry) -> Picture:
        """The picture, or why it cannot be had."""
        if entry.size > MAX_BYTES:
            return Picture(entry.file, error=f"the file is too large: {entry.size} bytes, wanted at most {MAX_BYTES}")
        try:
            return Picture(entry.file, self._bytes(entry))
        except UNREADABLE as error:
            return Picture(entry.file, error=f"its bytes cannot be read ({type(error).__name__})")

    def close(self) -> None:
        """Close what is open."""
        if self._open is not None:
            self._open[1].close()
        self._open = None

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _bytes(self, entry: Entry) -> bytes:
        if entry.kind == "file":
            return Path(entry.path).read_bytes()
        if entry.kind == "refused":
            raise ValueError("encrypted, or compressed in a way that only zip programs know")
        source = self._source(entry)
        if isinstance(source, Rows):
            return source[entry.offset]
        source.seek(entry.offset)
        if entry.kind == "tar":
            return source.read(entry.size)
        head = source.read(LOCAL_HEAD)
        source.seek(int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little"), 1)
        return unpack(source.read(entry.size), entry.kind)

    def _source(self, entry: Entry) -> "IO[bytes] | Rows":
        if self._open is None or self._open[0] != entry.path:
            self.close()
            path = Path(entry.path)
            opener = OPENERS.get(path.suffix.lower(), open)
            self._open = (entry.path, Rows(path) if entry.kind == "row" else opener(path, "rb"))
        return self._open[1]


def unpack(data: bytes, kind: str) -> bytes:
    """The bytes of a zip entry, which must not grow beyond MAX_BYTES."""
    if kind == "stored":
        return data
    unpacker: Any = zlib.decompressobj(-zlib.MAX_WBITS) if kind == "deflated" else bz2.BZ2Decompressor()
    unpacked: bytes = unpacker.decompress(data, MAX_BYTES)
    if not unpacker.eof:
        raise ValueError("cut short, or too large")
    return unpacked


class Rows:
    """The image column of a Parquet file by row number; rows asked for in order are read once, a few at a time."""

    def __init__(self, path: Path) -> None:
        self._file = pq.ParquetFile(path)
        self._column = image_column(self._file.schema_arrow, path)
        metadata = self._file.metadata
        counts = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
        self._starts = [0, *accumulate(counts)]
        self._batches: Iterator[pa.RecordBatch] = iter(())
        self._first, self._values, self._end = 0, pa.array([], pa.binary()), 0

    def __getitem__(self, row: int) -> bytes:
        if not self._first <= row < self._end:
            self._begin(bisect_right(self._starts, row) - 1)
        while row >= self._first + len(self._values):
            self._first += len(self._values)
            self._values = next(self._batches).column(0)
        value = self._values[row - self._first].as_py()
        value = value["bytes"] if isinstance(value, dict) else value
        if value is None:
            raise ValueError("the row is empty")
        return bytes(value)

    def _begin(self, group: int) -> None:
        """From the first row of a row group."""
        self._batches = self._file.iter_batches(ROWS_AT_A_TIME, row_groups=[group], columns=[self._column])
        self._first, self._end = self._starts[group], self._starts[group + 1]
        self._values = self._values[:0]

    def close(self) -> None:
        """Close the file."""
        self._file.close()
