"""Formula lists: reads the text files that formulas come in."""

import lzma
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple, TextIO

from im2latex.errors import DataError

COLUMNS = ("domain", "source", "kind", "formula")  # of a .tsv without a header line; a fifth is not read


class Formula(NamedTuple):
    """A formula as its author wrote it, and where it came from."""

    formula: str
    source: str  # for a .tsv: the columns domain, source and kind that exist, joined by "/"


def read_formulas(path: str | Path) -> Iterator[Formula]:
    """Reads `.txt` (a formula a line) or `.tsv` (tab-separated columns), either of them also as `.xz`.

    In `.txt`, empty lines and lines that start with `%`, TeX's comment sign, are skipped. A `.tsv` names its
    columns in the first line, one of them `formula`; without such a line the columns are COLUMNS.
    Raises DataError when the file is missing, of another kind, not UTF-8, or has a line of too few columns.
    """
    path = Path(path)
    kind = path.name.removesuffix(".xz").rpartition(".")[2]
    if kind not in ("txt", "tsv"):
        raise DataError(f"a formula list is .txt, .tsv, .txt.xz or .tsv.xz, got {path.name}")
    if not path.is_file():
        raise DataError(f"no formula list at {path}")
    try:
        with _open(path) as stream:
            yield from _read_lines(stream) if kind == "txt" else _read_columns(stream, path.name)
    except (UnicodeDecodeError, lzma.LZMAError, EOFError) as error:
        raise DataError(f"{path} cannot be read as UTF-8 text: {error}") from error


def _open(path: Path) -> AbstractContextManager[TextIO]:
    if path.suffix == ".xz":
        return lzma.open(path, "rt", encoding="utf-8", newline="\n")
    return path.open(encoding="utf-8", newline="\n")


def _read_lines(stream: TextIO) -> Iterator[Formula]:
    for line in stream:
        text = line.strip()
        if text and not text.startswith("%"):
            yield Formula(text, "")


def _read_columns(stream: TextIO, name: str) -> Iterator[Formula]:
    columns: list[str] = []
    for number, line in enumerate(stream, start=1):
        cells = line.rstrip("\r\n").split("\t")
        if not columns:
            columns = cells if "formula" in cells else list(COLUMNS)
            if columns is cells:
                continue
        if len(cells) < len(columns):
            raise DataError(f"{name}, line {number}: {len(cells)} columns, wanted {columns}")
        row = dict(zip(columns, cells, strict=False))
        if row["formula"].strip():
            yield Formula(row["formula"].strip(), "/".join(row[key] for key in COLUMNS[:3] if row.get(key)))
