"""However a symbol is drawn, scanned or coloured, networks see nearly the same square."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageDraw, ImageOps

from im2latex.errors import ImageError
from im2latex.ink import ink_box
from im2latex.scale import stroke_width
from im2latex.symbol_image import REACH, SIDE, STROKE, TOLERANCE, normalize_symbol, peel, to_input
from im2latex.tests.symbol_sets import STROKES, draw_symbol


def transparent(image: Image.Image) -> Image.Image:
    """White ink on nothing."""
    layer = Image.new("RGBA", image.size, (255, 255, 255, 0))
    layer.putalpha(ImageOps.invert(image))
    return layer


LOOKS = {
    "large": lambda name: draw_symbol(name, 400, 16),
    "far thicker": lambda name: draw_symbol(name, 300, 32),
    "hairlines": lambda name: draw_symbol(name, 600, 1.5),
    "small": lambda name: draw_symbol(name, 24, 1.2),
    "light on dark": lambda name: ImageOps.invert(draw_symbol(name, 200, 9)),
    "transparent": lambda name: transparent(draw_symbol(name, 200, 9)),
    "coloured": lambda name: ImageOps.colorize(draw_symbol(name, 100, 4), "darkred", "khaki"),
    "in a corner": lambda name: ImageOps.expand(draw_symbol(name, 100, 4), (0, 300, 500, 0), 255),
}


@pytest.mark.parametrize("name", STROKES)
@pytest.mark.parametrize("look", LOOKS)
def test_the_look_of_a_symbol_hardly_changes_its_square(name, look):
    usual, other = (np.asarray(normalize_symbol(image)) / 255 for image in (draw_symbol(name), LOOKS[look](name)))
    usual, other = F.avg_pool2d(to_input(torch.tensor(np.stack([usual, other]) * 255)), 10, stride=2).flatten(1)
    assert torch.cosine_similarity(usual, other, dim=0) > 0.9


@pytest.mark.parametrize("look", LOOKS)
def test_ink_is_centred_reaches_its_length_and_has_strokes_of_one_width(look):
    square = normalize_symbol(LOOKS[look]("+"))
    left, top, right, bottom = ink_box(square)
    assert square.size == (SIDE, SIDE)
    assert REACH - 2 <= max(right - left, bottom - top) <= REACH
    assert abs(left + right - SIDE) <= 2
    assert abs(top + bottom - SIDE) <= 2
    assert STROKE / TOLERANCE <= stroke_width(square) <= STROKE * TOLERANCE


def test_a_blank_picture_is_refused():
    with pytest.raises(ImageError, match="blank"):
        normalize_symbol(Image.new("L", (30, 20), 200))


def pieces(ink):
    """How many pieces touch nothing but paper, corners counted as touching."""
    left = set(zip(*np.nonzero(ink), strict=True))
    count = 0
    while left:
        count, edge = count + 1, [left.pop()]
        while edge:
            y, x = edge.pop()
            near = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            left -= near
            edge += near
    return count


@given(arrays(bool, (9, 11)), st.integers(1, 8))
def test_peeling_only_takes_away_and_leaves_as_many_pieces(ink, layers):
    ink = np.pad(np.kron(ink, np.ones((2, 2), dtype=bool)), 1)
    peeled = peel(ink, layers)
    assert not (peeled & ~ink).any()
    assert pieces(peeled) == pieces(ink)


def test_a_layer_is_a_pixel_on_each_side():
    ink = np.zeros((30, 60), dtype=bool)
    ink[10:20, 5:55] = True
    assert peel(ink, 3).any(1).sum() == 4
    assert peel(ink, 30).any(1).sum() <= 2


@pytest.mark.parametrize("diameter", [6, 20, 90])
def test_a_printed_dot_stays_round_and_whole(diameter):
    page = Image.new("L", (4 * diameter, 4 * diameter), 255)
    ImageDraw.Draw(page).ellipse((diameter, diameter, 2 * diameter, 2 * diameter), fill=0)
    square = np.asarray(normalize_symbol(page)) / 255
    assert square.sum() == pytest.approx(np.pi * REACH**2 / 4, rel=0.1)


def test_networks_are_given_ink_as_1_on_paper_0():
    squares = torch.zeros(1, SIDE, SIDE, dtype=torch.uint8)
    squares[0, 2, 5] = 255
    images = to_input(squares)
    assert images.shape == (1, 1, SIDE, SIDE)
    assert images.sum() == images[0, 0, 2, 5] == 1
