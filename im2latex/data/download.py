"""Downloads the official IM2LATEX-100K; addresses, sizes and checksums are in official_files.json."""

import hashlib
import json
import shutil
import tarfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import BinaryIO, NamedTuple

from tqdm import tqdm

from im2latex.errors import DataError

LIST = Path(__file__).with_name("official_files.json")
TIMEOUT = 60.0  # seconds without a byte


class RemoteFile(NamedTuple):
    """A file of the official record."""

    name: str
    url: str
    md5: str
    size: str  # for people, rounded as the record's page shows it


def read_remote_files(path: Path = LIST) -> list[RemoteFile]:
    """The files of the official data set, in the order they are fetched."""
    return [RemoteFile(**entry) for entry in json.loads(path.read_text(encoding="utf-8"))["files"]]


def download_official(folder: Path, files: list[RemoteFile] | None = None) -> None:
    """Brings the official layout (the .lst files and formula_images/) into `folder`; whole files are kept.

    Raises DataError when a file cannot be fetched or is not the one whose checksum is known.
    """
    files = read_remote_files() if files is None else files
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        if not _is_whole(folder / file.name, file):
            _fetch(file, folder, files)
        if file.name.endswith(".tar.gz") and not (folder / file.name.removesuffix(".tar.gz")).is_dir():
            _unpack(folder / file.name, folder)


def _is_whole(path: Path, file: RemoteFile) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "md5").hexdigest() == file.md5


def _fetch(file: RemoteFile, folder: Path, files: list[RemoteFile]) -> None:
    partial = folder / (file.name + ".partial")
    try:
        with urllib.request.urlopen(file.url, timeout=TIMEOUT) as answer, partial.open("wb") as target:
            _copy(answer, target, file.name, int(answer.headers.get("Content-Length") or 0))
    except (urllib.error.URLError, OSError) as error:
        wanted = ", ".join(f"{one.name} ({one.size})" for one in files)
        raise DataError(
            f"cannot fetch {file.url}: {error}. Without a network: put {wanted} into {folder} by other means"
            " and run this again, or train on a packed set (the small one that ships needs no download)"
        ) from error
    if not _is_whole(partial, file):
        size = partial.stat().st_size
        raise DataError(f"{file.url} gave {size} bytes whose MD5 is not {file.md5}: try again")
    partial.replace(folder / file.name)


def _copy(answer: BinaryIO, target: BinaryIO, name: str, size: int) -> None:
    with tqdm(desc=name, total=size or None, unit="B", unit_scale=True, mininterval=1.0) as bar:
        while block := answer.read(1 << 20):
            target.write(block)
            bar.update(len(block))


def _unpack(archive: Path, folder: Path) -> None:
    """Unpacks beside the target and renames, so that a folder that is there is complete."""
    name = archive.name.removesuffix(".tar.gz")
    partial = folder / (name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(partial, filter="data")
        (partial / name).replace(folder / name)
    except (tarfile.TarError, OSError) as error:
        raise DataError(f"{archive} cannot be unpacked: {error}") from error
    shutil.rmtree(partial)
