"""Pictures with the formulas they show: a folder or zip with a table of labels, or a packed data set."""

import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from im2latex.data.packed import read_packed
from im2latex.errors import DataError


@dataclass(frozen=True)
class LabelledPictures:
    """`read(i)` gives the bytes of the picture `names[i]`, which shows `formulas[i]`."""

    names: Sequence[str]
    formulas: Sequence[str]
    read: Callable[[int], bytes]


def open_labelled(images: Path, labels: Path, column: int = 1) -> LabelledPictures:
    """Pictures of a folder or zip with the formulas in a column (name: 0) of a tab-separated table without header.

    Raises DataError when files are missing, or a label names a picture that is not there.
    """
    rows = read_labels(labels, column)
    names = [name for name, _ in rows]
    if images.is_dir():
        return LabelledPictures(names, [formula for _, formula in rows], _folder_reader(images, names))
    if not zipfile.is_zipfile(images):
        raise DataError(f"{images} is neither a folder nor a zip of pictures")
    return LabelledPictures(names, [formula for _, formula in rows], _zip_reader(images, names))


def open_packed(folder: Path) -> LabelledPictures:
    """The pictures of a packed data set, named by their row, with their formulas as they were found."""
    table = read_packed(folder, ["image", "formula"]).combine_chunks()
    names = [str(row) for row in range(len(table))]
    return LabelledPictures(names, table["formula"].to_pylist(), lambda row: bytes(table["image"][row].as_py()))


def read_labels(path: Path, column: int) -> list[tuple[str, str]]:
    """Name and formula of every line; DataError when the file is missing, empty or a line lacks the column."""
    if not path.is_file():
        raise DataError(f"there is no table of labels {path}")
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        if not line.strip():
            continue
        cells = line.rstrip("\r").split("\t")
        if not 0 < column < len(cells):
            raise DataError(f"{path.name}, line {number}: {len(cells)} columns, wanted the one numbered {column}")
        rows.append((cells[0], cells[column]))
    if not rows:
        raise DataError(f"{path.name} holds no labels")
    return rows


def _folder_reader(folder: Path, names: Sequence[str]) -> Callable[[int], bytes]:
    _check_all_there(folder, [name for name in names if not (folder / name).is_file()])
    return lambda row: (folder / names[row]).read_bytes()


def _zip_reader(path: Path, names: Sequence[str]) -> Callable[[int], bytes]:
    """Members are found by their full name, or by their last part."""
    archive = zipfile.ZipFile(path)
    members = {Path(member).name: member for member in archive.namelist()}
    members |= {member: member for member in archive.namelist()}
    _check_all_there(path, [name for name in names if name not in members])
    return lambda row: archive.read(members[names[row]])


def _check_all_there(where: Path, missing: Sequence[str]) -> None:
    if missing:
        raise DataError(f"{where.name} lacks {len(missing)} of the labelled pictures, the first is {missing[0]}")
