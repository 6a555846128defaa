"""Where the model looked: its attention on the picture's own pixels, and a box for each token."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from im2latex.images import Placement
from im2latex.prediction import Prediction

Box = tuple[float, float, float, float]
"""Left, top, right and bottom, in px of the upright picture."""

Map = NDArray[np.float32]

FINER = 4
"""Cells of attention are taken apart into this many by this many before a box is drawn, in between bilinearly."""
SHARE = 0.5
"""A box holds what is attended to at least this much of the most, and hangs together with it."""
INK = 0.25
"""A pixel of the tensor, paper 0, from which it counts as ink: boxes end where the ink in them does."""


@dataclass(frozen=True)
class Attention:
    """Where the model looked for each token of a formula, over one picture."""

    maps: Map
    """(T, h, w) over the tensor, not negative; a map sums to 1."""
    prepared: Tensor
    """(1, H, W): the tensor that the model saw, over which the maps lie evenly."""
    placement: Placement
    """Where the tensor lies on the picture."""

    @property
    def region(self) -> Box:
        """What the maps cover of the picture; more than the picture where paper was added around it."""
        height, width = self.prepared.shape[1:]
        return (*self.placement.to_picture(0, 0), *self.placement.to_picture(width, height))

    def boxes(self) -> list[Box]:
        """A box for each token, around the ink that it was read from."""
        ink = self.prepared[0].numpy() > INK
        return [self._on_picture(find_box(weights, ink)) for weights in self.maps]

    def heat(self, place: int, size: tuple[int, int]) -> Map:
        """How strongly each pixel of the picture, shown in `size` (height, width), was looked at for a token: 0..1."""
        down, across = size[0] / self.placement.height, size[1] / self.placement.width
        left, right = (across * edge for edge in self.region[::2])
        top, bottom = (down * edge for edge in self.region[1::2])
        weights = self.maps[place] / max(float(self.maps[place].max()), 1e-12)
        down, across = weights.shape[0] / (bottom - top), weights.shape[1] / (right - left)
        cells = (across, 0, -left * across, 0, down, -top * down)
        heat = Image.fromarray(weights).transform(
            (size[1], size[0]), Image.Transform.AFFINE, cells, Image.Resampling.BILINEAR
        )
        return np.asarray(heat, dtype=np.float32).clip(0, 1)

    def _on_picture(self, box: tuple[float, float, float, float]) -> Box:
        left, top = self.placement.to_picture(box[0], box[1])
        right, bottom = self.placement.to_picture(box[2], box[3])
        width, height = float(self.placement.width), float(self.placement.height)
        left, right = (min(max(edge, 0.0), width) for edge in (left, right))
        top, bottom = (min(max(edge, 0.0), height) for edge in (top, bottom))
        return left, top, right, bottom


@dataclass(frozen=True)
class Explanation:
    """A picture, what was read in it, and where the model looked for each token."""

    image: Image.Image
    """Upright: boxes are in its pixels."""
    prediction: Prediction
    attention: Attention
    boxes: list[Box]
    """One for each of `prediction.tokens`."""


def find_box(weights: Map, ink: NDArray[np.bool_]) -> tuple[float, float, float, float]:
    """Left, top, right and bottom, in px of the tensor, of what a map (h, w) looks at; `ink` (H, W) of the tensor."""
    height, width = weights.shape
    finer = Image.fromarray(weights).resize((FINER * width, FINER * height), Image.Resampling.BILINEAR)
    fine: Map = np.asarray(finer, dtype=np.float32)
    most = np.unravel_index(int(fine.argmax()), fine.shape)
    rows, columns = np.nonzero(connected(fine >= SHARE * fine[most], (int(most[0]), int(most[1]))))
    down, across = ink.shape[0] / fine.shape[0], ink.shape[1] / fine.shape[1]
    top, bottom = int(rows.min() * down), int(np.ceil((rows.max() + 1) * down))
    left, right = int(columns.min() * across), int(np.ceil((columns.max() + 1) * across))
    rows, columns = np.nonzero(ink[top:bottom, left:right])
    if not rows.size:
        return left, top, right, bottom
    return (
        left + float(columns.min()), top + float(rows.min()),
        left + float(columns.max()) + 1, top + float(rows.max()) + 1,
    )  # fmt: skip


def connected(mask: NDArray[np.bool_], start: tuple[int, int]) -> NDArray[np.bool_]:
    """What can be reached from a cell, over the sides of cells that are true."""
    reached = np.zeros_like(mask)
    reached[start] = True
    while True:
        grown = reached.copy()
        grown[1:] |= reached[:-1]
        grown[:-1] |= reached[1:]
        grown[:, 1:] |= reached[:, :-1]
        grown[:, :-1] |= reached[:, 1:]
        grown &= mask
        if np.array_equal(grown, reached):
            return reached
        reached = grown
