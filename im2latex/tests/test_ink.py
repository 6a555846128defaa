"""Promises of ink and paper: colours of one lightness, tiny pictures, frames and dust."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageOps

from im2latex.errors import ImageError
from im2latex.images import ImageSpec, prepare

SPEC = ImageSpec()


def page(width: int = 400, height: int = 220) -> Image.Image:
    """Three strokes and a dot at the left top of a white page."""
    image = Image.new("L", (width, height), 255)
    draw = ImageDraw.Draw(image)
    for left in (40, 60, 80):
        draw.line((left, 40, left + 12, 56), fill=0, width=1)
    draw.rectangle((100, 54, 101, 55), fill=0)
    return image


def coloured(ink: tuple[int, int, int], paper: tuple[int, int, int]) -> Image.Image:
    return ImageOps.colorize(page(), ink, paper)


@pytest.mark.parametrize(
    ("ink", "paper"),
    [((255, 120, 0), (40, 160, 255)), ((255, 0, 0), (0, 130, 0)), ((255, 170, 190), (160, 210, 160))],
)
def test_ink_as_light_as_its_paper_is_told_by_its_colour(
    ink: tuple[int, int, int], paper: tuple[int, int, int]
) -> None:
    assert torch.allclose(prepare(coloured(ink, paper), SPEC), prepare(page(), SPEC), atol=0.02)


@pytest.mark.parametrize("level", [0, 60, 100, 240, 255])
@pytest.mark.parametrize("size", [(1, 1), (1, 2), (3, 1)])
def test_a_few_pixels_of_one_grey_are_blank(size: tuple[int, int], level: int) -> None:
    with pytest.raises(ImageError, match="blank"):
        prepare(Image.new("L", size, level), SPEC)


@pytest.mark.parametrize("grey", [0, 210])
@pytest.mark.parametrize("place", [(380, 50), (60, 200), (380, 200)])
def test_dust_far_from_the_formula_is_left_out(place: tuple[int, int], grey: int) -> None:
    image = page()
    image.putpixel(place, grey)
    assert torch.equal(prepare(image, SPEC), prepare(page(), SPEC))


def test_a_dot_near_the_formula_is_not_dust() -> None:
    image = page()
    image.putpixel((130, 55), 0)
    assert prepare(image, SPEC).shape[2] > prepare(page(), SPEC).shape[2]


def test_dust_alone_is_still_ink() -> None:
    image = Image.new("L", (400, 220), 255)
    for place in ((20, 20), (21, 20), (380, 200), (381, 200)):
        image.putpixel(place, 0)
    assert prepare(image, SPEC).sum() == pytest.approx(4)


@pytest.mark.parametrize("border", [1, 3])
@pytest.mark.parametrize("outside", [0, 2])
def test_a_frame_along_the_edges_is_left_out(border: int, outside: int) -> None:
    framed = ImageOps.expand(ImageOps.expand(page(), border, 0), outside, 255)
    assert torch.equal(prepare(framed, SPEC), prepare(page(), SPEC))


def test_a_frame_with_paper_around_it_belongs_to_the_formula() -> None:
    boxed = ImageOps.expand(ImageOps.expand(page(), 1, 0), 8, 255)
    assert prepare(boxed, SPEC).shape[2] > prepare(page(), SPEC).shape[2]


def test_an_empty_frame_is_what_the_picture_shows() -> None:
    square = ImageOps.expand(Image.new("L", (20, 20), 255), 1, 0)
    assert prepare(square, SPEC).sum() > 0


def test_grey_of_twelve_bits_in_sixteen_is_read() -> None:
    deep = Image.fromarray(np.asarray(page()).astype(np.uint16) * 16)
    assert torch.allclose(prepare(deep, SPEC), prepare(page(), SPEC), atol=0.01)
