"""Pictures with the formulas they show: a folder or zip with a table of labels, or a packed data set."""

import io
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image

from im2latex.data.packed import read_packed
from im2latex.errors import ConfigError, DataError, FormulaError
from im2latex.latex import canonicalize, to_official


@dataclass(frozen=True)
class LabelledPictures:
    """`read(i)` gives the bytes of the picture `names[i]`, which shows `formulas[i]`."""

    names: Sequence[str]
    formulas: Sequence[str]
    read: Callable[[int], bytes]


@dataclass(frozen=True)
class LabelledSet:
    """Flags that name a set of labelled pictures."""

    images: str | None = None
    """Folder or zip of pictures; needs `labels`."""
    labels: str | None = None
    """Tab-separated lines without header: name of the picture, then its LaTeX."""
    label_column: int = 1
    """Column of `labels` that holds the LaTeX; the name is column 0."""
    data: str | None = None
    """A packed data set, instead of `images` and `labels`."""
    references: Literal["canonical", "as_is"] = "canonical"
    """canonical: labels are brought to the normal form first; as_is: they are in it, tokens separated by spaces."""
    limit: int | None = None
    """Only so many pictures, from the first on."""
    max_height: int | None = None
    """Only pictures that are no higher, in px, as a model may have learned from no others."""
    max_width: int | None = None
    """Only pictures that are no wider."""
    name: str | None = None
    """What the set is called; None: the folder it lies in."""

    def open(self) -> LabelledPictures:
        """The pictures that are small enough, the first `limit` of them; ConfigError unless one source is named.

        DataError where none is left. What is no picture counts as small: to read it is the model's failure.
        """
        for flag in ("limit", "max_height", "max_width"):
            if (most := getattr(self, flag)) is not None and most < 1:
                raise ConfigError(f"--{flag} {most}, wanted at least 1")
        if self.data is not None and self.images is None and self.labels is None:
            pictures = open_packed(Path(self.data))
        elif self.data is None and self.images is not None and self.labels is not None:
            pictures = open_labelled(Path(self.images), Path(self.labels), self.label_column)
        else:
            raise ConfigError("name --images and --labels, or --data, and not both")
        places: Sequence[int] = range(len(pictures.names))
        if self.max_height is not None or self.max_width is not None:
            places = [place for place in places if self._fits(pictures.read(place))]
            if not places:
                size = f"{self.max_height or 'any'} x {self.max_width or 'any'} px"
                raise DataError(f"none of the {len(pictures.names)} pictures is within {size} (height x width)")
        chosen = places[: self.limit]
        names, formulas = pictures.names, pictures.formulas
        return LabelledPictures(
            [names[place] for place in chosen],
            [formulas[place] for place in chosen],
            lambda place: pictures.read(chosen[place]),
        )

    def _fits(self, data: bytes) -> bool:
        try:
            width, height = Image.open(io.BytesIO(data)).size
        except (OSError, Image.DecompressionBombError):
            return True
        return height <= (self.max_height or height) and width <= (self.max_width or width)

    @property
    def title(self) -> str:
        """What the set is called."""
        return self.name or (
            Path(self.data).resolve().name if self.data else Path(self.labels or "").resolve().parent.name
        )


def to_reference(label: str, references: str) -> tuple[list[str], bool]:
    """Tokens of a label in the official normal form, and whether it could be brought there."""
    if references == "as_is":
        return label.split(), True
    try:
        return to_official(canonicalize(label)), True
    except FormulaError:
        return label.split(), False


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
    """Name and formula of every line; DataError when the file is missing, empty, not UTF-8, or lacks the column."""
    if not path.is_file():
        raise DataError(f"there is no table of labels {path}")
    rows = []
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} cannot be read as UTF-8 text: {error}") from error
    for number, line in enumerate(text.split("\n"), start=1):
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
    """Members are found by their full name, or by their last part where only one member has it."""
    archive = zipfile.ZipFile(path)
    members = {member: [member] for member in archive.namelist()}
    for member in archive.namelist():
        if Path(member).name != member:
            members.setdefault(Path(member).name, []).append(member)
    _check_all_there(path, [name for name in names if name not in members])
    for name in names:
        if name not in archive.NameToInfo and len(members[name]) > 1:
            raise DataError(f"{path.name} holds {' and '.join(members[name])}: write in {name}'s label which is meant")
    return lambda row: _read_member(archive, members[names[row]][0])


def _read_member(archive: zipfile.ZipFile, member: str) -> bytes:
    try:
        return archive.read(member)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise DataError(f"{member} cannot be read out of {archive.filename}: {error}") from error


def _check_all_there(where: Path, missing: Sequence[str]) -> None:
    if missing:
        raise DataError(f"{where.name} lacks {len(missing)} of the labelled pictures, the first is {missing[0]}")
