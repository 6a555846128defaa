"""Measures how well rendered formulas agree with published pictures, and draws a sheet of pairs.

python training/render_sheet.py --images images.zip --labels labels.tsv --out sheet.png
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import jsonargparse
from PIL import Image, ImageDraw

from im2latex.data.render import Look, Rendered, render_formulas
from im2latex.errors import DataError

TOLERANCE = 2  # pixels, in width and in height


def read_labels(labels: Path) -> list[tuple[str, str]]:
    """(picture name, formula as written) of each line `name<TAB>latex[<TAB>more]`."""
    lines = labels.read_text("utf-8").splitlines()
    rows = [line.split("\t") for line in lines if line]
    if any(len(row) < 2 for row in rows):
        raise DataError(f"{labels}: every line must be a name, a tab and a formula")
    return [(row[0], row[1]) for row in rows]


def read_images(images: Path, names: Sequence[str], *, halve: bool) -> dict[str, Image.Image]:
    """Grey pictures by name, from a zip file or a folder; halved by Lanczos if asked."""
    pictures = {}
    if images.is_dir():
        data = {name: (images / name).read_bytes() for name in names}
    else:
        with zipfile.ZipFile(images) as archive:
            paths = {Path(entry).name: entry for entry in archive.namelist()}
            data = {name: archive.read(paths[name]) for name in names}
    for name, content in data.items():
        picture = Image.open(io.BytesIO(content)).convert("L")
        width, height = picture.size
        size = (width // 2, height // 2)
        pictures[name] = picture.resize(size, Image.Resampling.LANCZOS) if halve else picture
    return pictures


def agrees(published: Image.Image, rendered: Image.Image) -> bool:
    """True when both width and height differ by at most the tolerance."""
    return all(abs(theirs - ours) <= TOLERANCE for theirs, ours in zip(published.size, rendered.size, strict=True))


def draw_sheet(pairs: Sequence[tuple[Image.Image, Image.Image]]) -> Image.Image:
    """Pairs one under the other: the published picture on the left, ours on the right."""
    left = max(published.width for published, _ in pairs) + 12
    right = max(rendered.width for _, rendered in pairs) + 12
    heights = [max(published.height, rendered.height) + 8 for published, rendered in pairs]
    sheet = Image.new("L", (left + right, sum(heights) + 20), 255)
    pen = ImageDraw.Draw(sheet)
    pen.text((6, 4), "published", fill=0)
    pen.text((left + 6, 4), "rendered here", fill=0)
    top = 20
    for (published, rendered), height in zip(pairs, heights, strict=True):
        pen.line((0, top, sheet.width, top), fill=200)
        sheet.paste(published, (6, top + 4))
        sheet.paste(rendered, (left + 6, top + 4))
        top += height
    return sheet


def measure(images: Path, labels: Path, out: Path, *, workers: int = 2, pairs: int = 24, halved: bool = False) -> None:
    """Print the share of pictures whose size agrees with ours, list the others, and write the sheet.

    Args:
        images: folder or zip of published pictures
        labels: `name<TAB>latex` lines
        out: where to write the sheet (PNG)
        workers: rendering processes
        pairs: how many pairs to draw, those that disagree first
        halved: the published pictures are already at half size
    """
    rows = read_labels(labels)
    published = read_images(images, [name for name, _ in rows], halve=not halved)
    rendered = list(render_formulas((formula for _, formula in rows), Look(), workers, progress=True))
    matched = [
        (published[name], one.image) for (name, _), one in zip(rows, rendered, strict=True) if one.image is not None
    ]
    differing = [pair for pair in matched if not agrees(*pair)]
    _report(rendered, len(matched), len(differing))
    rest = [pair for pair in matched if agrees(*pair)]
    step = max(1, len(rest) // max(1, pairs - len(differing)))
    draw_sheet((differing + rest[::step])[:pairs]).save(out, optimize=True)
    print(f"sheet of pairs: {out}")


def _report(rendered: Sequence[Rendered], drawn: int, differing: int) -> None:
    for one in rendered:
        if one.error is not None:
            print(f"not rendered: {one.error}: {one.formula[:80]}")
    print(f"rendered: {drawn} of {len(rendered)}")
    agreeing = drawn - differing
    print(
        f"width and height within {TOLERANCE} px of the published picture: "
        f"{100 * agreeing / max(1, drawn):.2f} % ({agreeing} of {drawn})"
    )


if __name__ == "__main__":
    jsonargparse.auto_cli(measure, as_positional=False)
