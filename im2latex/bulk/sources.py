"""Which pictures a source holds: a folder, a glob, a zip or tar archive, Parquet; found without reading any of them."""

import glob
import os
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from im2latex.errors import DataError

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")
TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
ZIPPED = {zipfile.ZIP_STORED: "stored", zipfile.ZIP_DEFLATED: "deflated", zipfile.ZIP_BZIP2: "bzip2"}
ENCRYPTED = 1
"""Flag of a zip entry."""


class Entry(NamedTuple):
    """Where the bytes of one picture lie."""

    file: str
    """What it is called in the rows: its path in the source; in an archive, the archive and its path there."""
    path: str
    """The file to open."""
    kind: str = "file"
    """file; stored, deflated, bzip2 or refused in a zip; tar; row of a Parquet file."""
    offset: int = 0
    """Of the entry's head in a zip, of its bytes in the unpacked tar; of the row."""
    size: int = 0
    """Bytes that lie there; 0 for a row."""
    stamp: int = 0
    """When the file to open was last changed, in ns."""


def list_source(source: str, out: Path) -> Iterator[Entry]:
    """All pictures of the source, in an order that depends on it alone; what lies under `out` is none of them.

    Raises DataError when there is no such source, or when an archive cannot be read.
    """
    path = Path(source)
    found = False
    for name, file in _walk(path, out.resolve()) if path.is_dir() else _match(source):
        for entry in list_file(name, file):
            found = True
            yield entry
    if not found:
        raise DataError(f"{source} holds no pictures; wanted {', '.join(PICTURES)}, in zip, tar or Parquet as well")


def list_file(name: str, path: Path) -> Iterator[Entry]:
    """The picture that a file is, or the pictures that it holds."""
    stamp, lowered = path.stat().st_mtime_ns, path.name.lower()
    try:
        if lowered.endswith(".parquet"):
            yield from _list_parquet(name, path, stamp)
        elif lowered.endswith(".zip"):
            yield from _list_zip(name, path, stamp)
        elif lowered.endswith(TARS):
            yield from _list_tar(name, path, stamp)
        else:
            yield Entry(name, str(path), size=path.stat().st_size, stamp=stamp)
    except (zipfile.BadZipFile, tarfile.TarError, pa.ArrowInvalid, EOFError) as error:
        raise DataError(f"{path} cannot be read ({type(error).__name__}): copy it again") from error


def _walk(folder: Path, out: Path) -> Iterator[tuple[str, Path]]:
    """Pictures and archives below a folder, folder by folder."""
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and Path(root, name).resolve() != out)
        for name in sorted(files):
            if not name.startswith(".") and name.lower().endswith((*PICTURES, *TARS, ".zip", ".parquet")):
                file = Path(root, name)
                yield file.relative_to(folder).as_posix(), file.resolve()


def _match(source: str) -> Iterator[tuple[str, Path]]:
    """The file of that name, or the files that a pattern matches, whatever their names end in."""
    names = [source] if Path(source).is_file() else sorted(glob.glob(source, recursive=True))  # noqa: PTH207
    files = [(name, Path(name).resolve()) for name in names if Path(name).is_file()]
    if not files:
        raise DataError(f"there is no folder or file {source}, and as a pattern it matches none")
    return iter(files)


def _is_picture(name: str) -> bool:
    return name.lower().endswith(PICTURES) and not name.rpartition("/")[2].startswith(".")


def _list_zip(name: str, path: Path, stamp: int) -> Iterator[Entry]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if _is_picture(info.filename):
                kind = ZIPPED.get(info.compress_type, "refused")
                kind = "refused" if info.flag_bits & ENCRYPTED else kind
                yield Entry(f"{name}/{info.filename}", str(path), kind, info.header_offset, info.compress_size, stamp)


def _list_tar(name: str, path: Path, stamp: int) -> Iterator[Entry]:
    with tarfile.open(path) as archive:
        while (info := archive.next()) is not None:
            archive.members.clear()  # type: ignore[attr-defined]  # it would keep them all
            if info.isreg() and _is_picture(info.name):
                yield Entry(f"{name}/{info.name}", str(path), "tar", info.offset_data, info.size, stamp)


def _list_parquet(name: str, path: Path, stamp: int) -> Iterator[Entry]:
    with pq.ParquetFile(path) as file:
        image_column(file.schema_arrow, path)
        for row in range(file.metadata.num_rows):
            yield Entry(f"{name}/{row}", str(path), "row", row, stamp=stamp)


def image_column(schema: pa.Schema, path: Path) -> str:
    """The column of pictures: `image`, or the only one of bytes; or of structs with a field `bytes`."""
    binary = [field.name for field in schema if _holds_bytes(field.type)]
    if "image" in binary:
        return "image"
    if len(binary) != 1:
        raise DataError(f"{path} has no column `image` of bytes, but {', '.join(schema.names)}")
    return str(binary[0])


def _holds_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0 and _holds_bytes(kind.field("bytes").type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))
