"""Colours that every kind of colour vision tells apart, and what they are laid over."""

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from im2latex.explanation import Explanation
from im2latex.images import to_ink

# Okabe and Ito 2008, "Color Universal Design"
ORANGE = (230, 159, 0)
BLUE = (0, 114, 178)
VERMILLION = (213, 94, 0)
BLACK, GREY, PALE = (20, 20, 20), (110, 110, 110), (185, 185, 185)

UNSURE = 0.8
"""A token below this confidence is doubtful."""
MAX_ENLARGED = 3.0
"""Small pictures are shown larger than they are, up to this."""

Colour = tuple[int, int, int]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True)
class Overlay:
    """A picture in one size, over which attention is laid."""

    explanation: Explanation
    max_width: int
    max_height: int

    @cached_property
    def scale(self) -> float:
        """Px shown to one of the picture."""
        width, height = self.explanation.image.size
        return min(self.max_width / width, self.max_height / height, MAX_ENLARGED)

    @cached_property
    def size(self) -> tuple[int, int]:
        """Height and width as shown."""
        width, height = self.explanation.image.size
        return max(1, round(height * self.scale)), max(1, round(width * self.scale))

    @cached_property
    def paper(self) -> Image.Image:
        """The picture as dark ink on white paper ("L"), whatever its colours were."""
        ink = to_ink(self.explanation.image).resize((self.size[1], self.size[0]), Image.Resampling.LANCZOS)
        return ink.point([255 - level for level in range(256)])

    def draw(self, place: int) -> Image.Image:
        """The picture with the heat and the box of one token."""
        heat = self.explanation.attention.heat(place, self.size)
        image = tint(self.paper, heat, ORANGE)
        left, top, right, bottom = (self.scale * edge for edge in self.explanation.boxes[place])
        outer = (max(0, left - 3), max(0, top - 3), min(right + 2, image.width - 1), min(bottom + 2, image.height - 1))
        ImageDraw.Draw(image).rectangle(outer, outline=BLUE, width=2)
        return image


def tint(paper: Image.Image, heat: NDArray[np.float32], colour: Colour) -> Image.Image:
    """Paper ("L") that takes a colour where heat, 0..1, is 1; ink stays dark."""
    grey = np.asarray(paper, dtype=np.float32)[..., None]
    absorbed = heat[..., None] * (1 - np.asarray(colour, dtype=np.float32) / 255)
    return Image.fromarray((grey * (1 - absorbed)).astype(np.uint8))


@cache
def font(size: int) -> Font:
    """The font that Pillow carries, which it would unpack anew at every call."""
    return ImageFont.load_default(size)


def is_unsure(confidence: float) -> bool:
    """Whether a token counts as doubtful."""
    return confidence < UNSURE


def percent(confidence: float) -> str:
    """A confidence as people read it."""
    return f"{int(100 * confidence)} %"
