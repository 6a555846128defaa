"""How much alike do two pictures look, even if of other sizes, blurred or noisy? (`image_match.py` is exact.)"""

from itertools import product

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, interpolate, pad

INK = 0.3
"""Ink paler than this is the edge of a stroke: it does not say where a formula ends."""

BLUR = 0.7
"""Pixels, standard deviation: strokes of 1 to 2 px fall between pixels in other ways."""

PLAY = 1
"""Pixels by which one picture may be larger or smaller than the other, and twice that by which it may lie elsewhere."""

WINDOW = 9
"""Pixels, width and height of the windows that are compared: about a letter."""

UNEVEN = 1.5
"""By how much more a picture may be stretched in one direction than in the other: fonts differ in width by less."""

FAINT = 0.005
"""Mean square of ink in a window that hardly counts."""

SEVERITY = 3
"""Exponent of the mean: one wrong letter counts more than a little difference everywhere."""


def likeness(left: Tensor, right: Tensor) -> float:
    """How much alike two prepared pictures (1, H, W) are, 0..1; the right one is stretched to the left one.

    They are laid upon each other where their normalised cross-correlation is highest. In each window the squared
    difference is divided by the squares of both; of that, weighted by the ink, the power mean is taken from 1.
    1: the same, but for their size; 0: one of them shows nothing, or is of another shape.
    """
    if not (left > INK).any() or not (right > INK).any():
        return 0.0
    left, right = _crop(left), _crop(right)
    if not _same_shape(left, right):
        return 0.0
    fixed, moved = _register(left, right)
    ink = _windows(fixed.square() + moved.square())
    unlike = _windows((fixed - moved).square()) / (ink + FAINT)
    mean = float((ink * unlike**SEVERITY).sum() / ink.sum())
    return float(1 - mean ** (1 / SEVERITY))


def _crop(picture: Tensor) -> Tensor:
    """The ink of a picture (1, H, W) as (1, 1, h, w)."""
    rows, columns = ((picture[0] > INK).any(dim=side).nonzero().flatten() for side in (1, 0))
    return picture[None, :, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _same_shape(left: Tensor, right: Tensor) -> bool:
    """Whether the right one, brought to the height or the width of the left one, is about as wide or as high."""
    (height, width), (tall, wide) = left.shape[2:], right.shape[2:]
    sides = (width, wide * height / tall), (height, tall * width / wide)
    return any(max(pair) <= UNEVEN * min(pair) + 2 * PLAY for pair in sides)


def _register(left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    """Both blurred, and the right one stretched and placed as it fits best upon the left one; paper around them."""
    height, width = left.shape[2:]
    fixed = _blur(pad(left, (2 * PLAY + 1,) * 4))
    best, found = -1.0, torch.zeros_like(fixed)
    for taller, wider in product(range(-PLAY, PLAY + 1), repeat=2):
        size = max(1, height + taller), max(1, width + wider)
        stretched = right if right.shape[2:] == size else interpolate(right, size, mode="bicubic", antialias=True)
        moved = _blur(pad(stretched.clamp(0, 1), (1,) * 4))
        fits = _products(fixed[0, 0], moved[0, 0]) / (fixed.norm() * moved.norm())
        if float(fits.max()) > best:
            best = float(fits.max())
            top, at_left = divmod(int(fits.argmax()), fits.shape[1])
            below, beside = (most - least for most, least in zip(fixed.shape[2:], moved.shape[2:], strict=True))
            found = pad(moved, (at_left, beside - at_left, top, below - top))
    return fixed, found


def _products(fixed: Tensor, moved: Tensor) -> Tensor:
    """The inner product at every place of `moved` in `fixed`; a convolution would be planned anew for every size."""
    (height, width), flat = moved.shape, moved.flatten()
    rows = [fixed[top : top + height].unfold(1, width, 1) for top in range(len(fixed) - height + 1)]
    return torch.stack([row.transpose(0, 1).flatten(1) @ flat for row in rows])


def _blur(picture: Tensor) -> Tensor:
    """Gaussian, 3 x 3."""
    beside = float(torch.exp(torch.tensor(-0.5 / BLUR**2)))
    weights = torch.tensor([beside, 1.0, beside]) / (1 + 2 * beside)
    return conv2d(conv2d(picture, weights.view(1, 1, 1, 3), padding=(0, 1)), weights.view(1, 1, 3, 1), padding=(1, 0))


def _windows(picture: Tensor) -> Tensor:
    """The mean in the window around each pixel."""
    across = avg_pool2d(picture, (1, WINDOW), stride=1, padding=(0, WINDOW // 2))
    return avg_pool2d(across, (WINDOW, 1), stride=1, padding=(WINDOW // 2, 0))
