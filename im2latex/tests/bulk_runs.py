"""Bulk runs for tests: a model that counts ink, folders of pictures, and the rows of a run."""

import io
import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch
from torch import Tensor, nn

from im2latex import cli
from im2latex.bulk import core, local
from im2latex.bulk.rows import Found, Picture, Settings
from im2latex.bundle import save_bundle
from im2latex.images import ImageSpec
from im2latex.predictor import Predictor
from im2latex.second_look import Scales
from im2latex.tests.packed_sets import draw_strokes
from im2latex.tokenizer import EOS, Tokenizer

DIGITS = Tokenizer([*Tokenizer.SPECIALS, *"0123456789"])
POISON = 10
"""Cells (of 16 px) in the height of a picture at which the model fails."""


class InkDecoder(nn.Module):
    """Reads the number of dark pixels, in eight digits: each picture has its own formula, whatever lies beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.threshold = nn.Parameter(torch.tensor([0.5]))
        self.eos = EOS
        self.tallest = 16 * POISON

    def forward(self, images: Tensor, beam: int = 1) -> tuple[Tensor, Tensor]:
        if images.shape[2] >= self.tallest:
            images = torch.cat([images, images[:, :, 1:]], dim=3)  # which do not fit
        ink = (images > self.threshold).sum(dim=[1, 2, 3])
        places = torch.tensor([10_000_000, 1_000_000, 100_000, 10_000, 1_000, 100, 10, 1])
        digits = torch.div(ink.unsqueeze(1), places, rounding_mode="floor") % 10 + 4
        token_ids = torch.cat([digits, torch.full([len(images), 1], self.eos)], dim=1)
        return token_ids, -0.01 * token_ids


def make_bundle(path: Path) -> Path:
    """A bundle that counts ink."""
    save_bundle(path, InkDecoder(), DIGITS, ImageSpec(), {"name": "ink"})
    return path


def draw_pictures(count: int, seed: int = 0) -> list[bytes]:
    """PNG files of many sizes."""
    generator = np.random.default_rng(seed)
    pictures = []
    for _ in range(count):
        stream = io.BytesIO()
        size = int(generator.integers(20, 60)), int(generator.integers(30, 120))
        draw_strokes(*size, generator).save(stream, "PNG")
        pictures.append(stream.getvalue())
    return pictures


def make_folder(folder: Path, count: int) -> Path:
    """A folder of pictures, some of them in folders of their own."""
    for number, data in enumerate(draw_pictures(count)):
        file = folder / f"{number % 3}" / f"{number:04d}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return folder


def make_flawed_folder(folder: Path, count: int) -> Path:
    """The same, with one file among them that is no picture: 1/0100.png."""
    make_folder(folder, count)
    (folder / "1" / "0100.png").write_bytes(b"no picture")
    return folder


def run_batch(source: Path | str, out: Path, bundle: Path, *flags: str) -> int:
    """The command, in this process; its workers are processes of their own."""
    return cli.main(["batch", str(source), "--out", str(out), "--bundle", str(bundle), *flags])


def drive(*arguments: Any, deadly: str = "", deadly_when: str = "read", pause: float = 0.0) -> None:
    """The command as the only thing that a forked process does: its workers are forked from it, in no time.

    Workers die at once when they prepare or read the picture `deadly`; before they read a batch they wait `pause`
    seconds.
    """
    torch.set_num_threads(1)
    local.METHOD = "fork"
    prepare_picture, read_batch = core.prepare_picture, core.read_batch
    doomed = Path(arguments[0], deadly).read_bytes() if deadly else b""

    def die_or_prepare(picture: Picture, spec: ImageSpec) -> Scales:
        if picture.data == doomed and deadly_when == "prepare":
            os.kill(os.getpid(), signal.SIGKILL)
        return prepare_picture(picture, spec)

    def die_or_read(predictor: Predictor, batch: core.Batch, settings: Settings) -> list[Found]:
        if deadly_when == "read" and doomed in [batch.pictures[place].data for place in batch.prepared]:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(pause)
        return read_batch(predictor, batch, settings)

    core.prepare_picture, core.read_batch = die_or_prepare, die_or_read
    raise SystemExit(run_batch(*arguments))


def rows_of(out: Path) -> list[dict[str, Any]]:
    """All rows in order, without the seconds, which are never the same."""
    rows = [row for part in sorted(out.glob("part-*.parquet")) for row in pq.read_table(part).to_pylist()]
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def errors_of(out: Path) -> dict[str, str]:
    """Reasons by file."""
    return {row["file"]: row["error"] for row in pq.read_table(out / "errors.parquet").to_pylist()}
