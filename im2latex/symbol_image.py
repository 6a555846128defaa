"""One symbol, of any size, pen and colours -> the small square that symbol networks see, in training and in use."""

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageFilter
from torch import Tensor

from im2latex.images import to_ink
from im2latex.ink import ink_box, stretch
from im2latex.scale import stroke_width

SIDE = 64
"""Height and width of the square in px; networks make it smaller, so that turning it does not blur it."""
REACH = 56
"""The longer side of the ink inside it, in px."""
STROKE = 2.7
"""Width of a stroke inside it, in px: the median of the handwriting that the shipped networks learned from."""
TOLERANCE = 1.6
"""Strokes that are wider or narrower by more than this factor are redrawn."""
BLOB = 16.0
"""Ink that would be wider is a dot, not a stroke, and stays as it is."""
FAINT = 60
"""Ink from which a pixel counts when strokes are redrawn: in small print, thin strokes are grey throughout."""
FINE = 3
"""Strokes are redrawn in a square finer by this factor."""


def normalize_symbol(image: Image.Image) -> Image.Image:
    """A picture of any mode as a square "L", ink 255 on paper 0: cropped, centred, fitted, in strokes of one width.

    Raises ImageError when the picture is blank.
    """
    ink = to_ink(image)
    ink = ink.crop(ink_box(ink))
    width = stroke_width(ink) * REACH / max(ink.size)
    if width < STROKE / TOLERANCE or STROKE * TOLERANCE < width < BLOB:
        ink = redraw(fit(ink, REACH * FINE), STROKE * FINE)
        ink = ink.crop(ink_box(ink))
    ink = fit(ink, REACH)
    square = Image.new("L", (SIDE, SIDE))
    square.paste(ink, ((SIDE - ink.width) // 2, (SIDE - ink.height) // 2))
    return square


def to_input(squares: Tensor) -> Tensor:
    """Squares (B, SIDE, SIDE) of bytes as what networks are given: (B, 1, SIDE, SIDE) float32, ink 1 on paper 0."""
    return squares.unsqueeze(1).to(torch.float32) / 255


def fit(ink: Image.Image, reach: int) -> Image.Image:
    """Ink whose longer side has so many pixels; hairlines that grow faint are darkened again."""
    factor = reach / max(ink.size)
    size = (max(1, round(ink.width * factor)), max(1, round(ink.height * factor)))
    if factor >= 1:
        return ink.resize(size, Image.Resampling.BICUBIC)
    margin = max(size)  # `stretch` takes the commonest side of the greys for paper: more paper than ink, therefore
    ground = Image.new("L", (size[0] + margin, size[1] + margin))
    ground.paste(ink.resize(size, Image.Resampling.BOX))
    return stretch(ground).crop((0, 0, *size))


def redraw(ink: Image.Image, width: float) -> Image.Image:
    """Ink whose strokes are about `width` px wide: peeled, or drawn over."""
    margin = round(width) + 1
    canvas = Image.new("L", (ink.width + 2 * margin, ink.height + 2 * margin))
    canvas.paste(ink, (margin, margin))
    solid = np.asarray(canvas) > FAINT
    layers = round((stroke_width(_drawn(solid)) - width) / 2)
    if layers <= 0:
        return _thicken(_drawn(solid), -layers)
    peeled = peel(solid, layers)
    bones = peel(peeled, max(canvas.size))  # where strokes were thinner than most, too much was peeled
    return ImageChops.lighter(_drawn(peeled), _thicken(_drawn(bones), round((width - 1) / 2)))


def _thicken(ink: Image.Image, layers: int) -> Image.Image:
    for _ in range(layers):
        ink = ink.filter(ImageFilter.MaxFilter(3))
    return ink


def _drawn(ink: NDArray[np.bool_]) -> Image.Image:
    return Image.fromarray(ink.astype(np.uint8) * np.uint8(255))


def peel(ink: NDArray[np.bool_], layers: int) -> NDArray[np.bool_]:
    """Ink without so many layers of its outline, in as many pieces as before: lines and dots are not peeled away.

    Each layer is an iteration of the thinning of Zhang and Suen (1984). The border of the array must be paper.
    """
    ink = ink.copy()
    for _ in range(layers):
        before = np.count_nonzero(ink)
        for from_south_east in (True, False):
            outline = _outline(ink, from_south_east)
            rest = ink & ~outline
            ink = rest | (outline & ~np.any(_around(rest), axis=0))  # what would vanish stays
        if np.count_nonzero(ink) == before:
            break
    return ink


def _outline(ink: NDArray[np.bool_], from_south_east: bool) -> NDArray[np.bool_]:
    """Pixels of the outline, on one side of it, whose removal cuts nothing."""
    near = _around(ink)
    count = np.sum(near, axis=0, dtype=np.uint8)
    edges = np.sum([~here & then for here, then in zip(near, near[1:] + near[:1], strict=True)], axis=0, dtype=np.uint8)
    north, east, south, west = near[0], near[2], near[4], near[6]
    if from_south_east:
        free = ~(north & east & south) & ~(east & south & west)
    else:
        free = ~(north & east & west) & ~(north & south & west)
    return np.asarray(ink & (count >= 2) & (count <= 6) & (edges == 1) & free)


def _around(ink: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """The eight neighbours of every pixel, clockwise from the north."""
    padded = np.pad(ink, 1)
    height, width = ink.shape
    corners = [(0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0), (0, 0)]
    return [padded[y : y + height, x : x + width] for y, x in corners]
