"""Ink and paper: which grey of a picture is which, and where the formula's ink lies, without frames and dust."""

from bisect import bisect_left
from functools import lru_cache
from itertools import accumulate

import numpy as np
from PIL import Image

from im2latex.errors import ImageError

FAINTEST_CONTRAST = 16
"""Grey levels (of 255) between paper and ink below which a picture counts as blank."""
DUST = 4
"""Fewer pixels than this, darker than all others, are dust and not the ink; a number, so that margins do not matter."""
INK_LEVEL = 32
"""Ink (of 255, after stretching) that counts when a picture is cropped: above the ringing of JPEG."""
INK_MASK = [0] * INK_LEVEL + [255] * (256 - INK_LEVEL)
FAR = 64
"""Pixels of paper around dust, by which it is told from the dots of a formula."""
EDGE, FRAME = 2, 8
"""A frame begins at most so many pixels from the edges of a picture, and ends before so many."""
FULL = 0.95
"""Share of a line's pixels that are ink in a frame."""

Box = tuple[int, int, int, int]
"""Left, top, right and bottom, px."""


def ink_and_paper(grey: Image.Image) -> tuple[int, int]:
    """Their grey levels: paper is the median, ink the grey farthest from it, dust left aside."""
    counts = list(accumulate(grey.histogram()))  # pixels as dark as the level or darker
    dust = min(DUST, counts[-1])
    darkest, paper, lightest = (bisect_left(counts, rank) for rank in (dust, counts[-1] / 2, counts[-1] - dust + 1))
    return darkest if paper - darkest >= lightest - paper else lightest, paper


def ink_contrast(grey: Image.Image) -> int:
    """Grey levels between ink and paper."""
    ink, paper = ink_and_paper(grey)
    return abs(ink - paper)


def stretch(grey: Image.Image) -> Image.Image:
    """Map the grey of the paper to 0, and that of the ink to 255.

    Raises ImageError when ink and paper differ by less than FAINTEST_CONTRAST levels.
    """
    ink, paper = ink_and_paper(grey)
    if abs(ink - paper) < FAINTEST_CONTRAST:
        seen = abs(ink - paper)
        raise ImageError(f"the picture is blank: {seen} grey levels between ink and paper, wanted {FAINTEST_CONTRAST}")
    return grey.point(_levels(ink, paper))


@lru_cache
def _levels(ink: int, paper: int) -> list[int]:
    """What every grey becomes where these two become 255 and 0."""
    levels = (np.arange(256) - paper) * (255 / (ink - paper))
    found: list[int] = np.clip(levels.round(), 0, 255).astype(int).tolist()
    return found


def clean(ink: Image.Image) -> tuple[Image.Image, Box]:
    """The same without a frame along the edges and without dust far from all else, and the box of what is left."""
    mask = ink.point(INK_MASK)
    unframed = _without_frame(ink, _box(mask))
    ink, mask = _without_dust(unframed, mask if unframed is ink else unframed.point(INK_MASK))
    return ink, _box(mask)


def _without_frame(ink: Image.Image, box: Box) -> Image.Image:
    left, top, right, bottom = box
    if max(left, top, ink.width - right, ink.height - bottom) > EDGE:
        return ink
    is_ink = np.asarray(ink) >= INK_LEVEL
    across, down = is_ink.mean(1), is_ink.mean(0)
    sides = [np.flatnonzero(lines[:FRAME] >= FULL) for lines in (down, across, down[::-1], across[::-1])]
    if not all(side.size for side in sides):
        return ink
    left, top, right, bottom = (int(side[-1]) + 2 for side in sides)  # its last line, and the shade beside that
    inner = ink.crop((left, top, max(left, ink.width - right), max(top, ink.height - bottom)))
    if inner.point(INK_MASK).getbbox() is None:
        return ink
    cleaned = Image.new("L", ink.size)
    cleaned.paste(inner, (left, top))
    return cleaned


def _without_dust(ink: Image.Image, mask: Image.Image) -> tuple[Image.Image, Image.Image]:
    for axis in (0, 1):  # columns, then rows
        lines = bytes(mask.getprojection()[axis])
        if bytes(FAR) not in lines.strip(b"\0"):
            continue
        runs = _runs(lines)
        boxes = [(start, 0, end, ink.height) if axis == 0 else (0, start, ink.width, end) for start, end in runs]
        kept = [box for box in boxes if sum(ink.crop(box).histogram()[INK_LEVEL:]) >= DUST]
        if kept and len(kept) < len(boxes):
            cleaned = Image.new("L", ink.size)
            for box in kept:
                cleaned.paste(ink.crop(box), box)
            ink, mask = cleaned, cleaned.point(INK_MASK)
    return ink, mask


def _runs(lines: bytes) -> list[tuple[int, int]]:
    """Start and end of what has no FAR lines of paper, which are 0, within it."""
    places = np.flatnonzero(np.frombuffer(lines, dtype=np.uint8))
    gaps = np.flatnonzero(np.diff(places) > FAR)
    starts, ends = places[[0, *(gaps + 1)]], places[[*gaps, -1]] + 1
    return [(int(start), int(end)) for start, end in zip(starts, ends, strict=True)]


def ink_box(ink: Image.Image) -> Box:
    """Left, top, right and bottom of what is darker than INK_LEVEL, in px."""
    return _box(ink.point(INK_MASK))


def _box(mask: Image.Image) -> Box:
    box = mask.getbbox()
    assert box is not None, "a stretched picture has a darkest pixel"
    return box
