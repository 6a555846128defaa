"""Measures how well rendered formulas agree with published pictures, and draws a sheet of pairs.

python training/render_sheet.py --images images.zip --labels labels.tsv --out sheet.png
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import jsonargparse
from PIL import Image, ImageDraw

from im2latex.rendering.renderer import Look, Rendered, render_formulas
from training.labelled import open_labelled

TOLERANCE = 2  # pixels, in width and in height


def halve(picture: Image.Image) -> Image.Image:
    """The picture at half size, as the published data set is used."""
    width, height = picture.size
    return picture.resize((width // 2, height // 2), Image.Resampling.LANCZOS)


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
    labelled = open_labelled(images, labels)
    rendered = list(render_formulas(labelled.formulas, Look(), workers, progress=True))
    matched = []
    for row, one in enumerate(rendered):
        if one.image is not None:
            published = Image.open(io.BytesIO(labelled.read(row))).convert("L")
            matched.append((published if halved else halve(published), one.image))
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
