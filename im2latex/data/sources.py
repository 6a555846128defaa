"""Where a data set comes from: packed folders, the official layout, or a download."""

import hashlib
from pathlib import Path

from im2latex.data.download import download_official
from im2latex.data.official import is_official, pack_official
from im2latex.data.packed import MANIFEST
from im2latex.errors import DataError

SPLITS = ("train", "val", "test")


def find_splits(path: Path, download: bool = False, workers: int = 1) -> dict[str, Path]:
    """The packed folder of every split; one folder for all of them when `path` is a single packed set.

    A folder in the official layout is packed into `path`/packed first; with `download`, the official files
    are fetched into `path` where nothing else is found. Raises DataError when there is no data set.
    """
    if (path / MANIFEST).is_file():
        return dict.fromkeys(SPLITS, path)
    for parent in (path, path / "packed"):
        folders = {split: parent / split for split in SPLITS}
        if all((folder / MANIFEST).is_file() for folder in folders.values()):
            return folders
    if download and not is_official(path):
        download_official(path)
    if is_official(path):
        pack_official(path, path / "packed", workers=workers)
        return {split: path / "packed" / split for split in SPLITS}
    raise DataError(
        f"no data set at {path}: looked for {MANIFEST} there, for packed folders {', '.join(SPLITS)}, and for"
        " the official layout (formula_images/ and im2latex_*.lst). Make one with training/prepare_data.py"
        " --formulas FILE --out FOLDER, or get the official one with --download"
    )


def draw_split(tokens: str, fraction: float, seed: int) -> str:
    """`train`, `val` or `test`, from a formula's tokens and the seed alone: equal formulas stay together."""
    digest = hashlib.blake2b(f"{seed} {tokens}".encode(), digest_size=8).digest()
    draw = int.from_bytes(digest, "big") / 2**64
    return "val" if draw < fraction else "test" if draw < 2 * fraction else "train"
