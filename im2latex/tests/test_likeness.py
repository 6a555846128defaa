"""Likeness forgives how a picture was made, and not what it shows."""

import pytest
import torch
from PIL import Image, ImageFilter

from im2latex.errors import ImageError
from im2latex.images import ImageSpec, open_image, prepare
from im2latex.likeness import likeness
from im2latex.tests.test_images import OFFICIAL


def prepared(image: Image.Image) -> torch.Tensor:
    return prepare(image, ImageSpec(), shrink=1.0)


PICTURE = open_image(OFFICIAL).convert("L")


def test_a_picture_is_like_itself_wherever_it_lies():
    there = torch.nn.functional.pad(prepared(PICTURE), (7, 25, 3, 13))
    assert likeness(prepared(PICTURE), there) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("factor", [0.9, 1.1, 2, 3])
def test_another_size_is_forgiven(factor):
    size = round(PICTURE.width * factor), round(PICTURE.height * factor)
    other = PICTURE.resize(size, Image.Resampling.LANCZOS)
    assert likeness(prepared(PICTURE), prepared(other)) > 0.9
    assert likeness(prepared(other), prepared(PICTURE)) > 0.9


def test_blur_is_forgiven_and_a_missing_stroke_is_not():
    blurred = PICTURE.filter(ImageFilter.GaussianBlur(0.7))
    without = PICTURE.copy()
    without.paste(255, (PICTURE.width // 3, 0, PICTURE.width // 2, PICTURE.height))
    assert likeness(prepared(PICTURE), prepared(blurred)) > 0.8
    assert likeness(prepared(PICTURE), prepared(without)) < 0.7
    assert likeness(prepared(PICTURE), prepared(PICTURE.transpose(Image.Transpose.ROTATE_180))) < 0.5


def test_what_shows_nothing_is_like_nothing():
    blank = torch.zeros(1, 16, 32)
    assert likeness(prepared(PICTURE), blank) == likeness(blank, prepared(PICTURE)) == likeness(blank, blank) == 0
    with pytest.raises(ImageError):
        prepared(Image.new("L", (30, 20), 255))


def test_one_wrong_letter_of_many_is_noticed():
    row = Image.new("L", (8 * PICTURE.width, PICTURE.height), 255)
    for place in range(8):
        row.paste(PICTURE, (place * PICTURE.width, 0))
    wrong = row.copy()
    wrong.paste(PICTURE.crop((16, 0, 32, PICTURE.height)), (5 * PICTURE.width, 0))
    assert likeness(prepared(row), prepared(row)) > 0.999
    assert likeness(prepared(row), prepared(wrong)) < 0.9


def test_one_pixel_is_enough():
    dot = torch.zeros(1, 16, 16)
    dot[0, 5, 5] = 1
    assert likeness(dot, dot) == pytest.approx(1, abs=1e-4)
    assert likeness(prepared(PICTURE), dot) == 0


@pytest.mark.parametrize("count", [2, 5])
def test_what_is_of_another_shape_is_like_nothing(count):
    row = Image.new("L", (count * PICTURE.width, PICTURE.height), 255)
    for place in range(count):
        row.paste(PICTURE, (place * PICTURE.width, 0))
    assert likeness(prepared(PICTURE), prepared(row)) == likeness(prepared(row), prepared(PICTURE)) == 0


@pytest.mark.parametrize("turned", [False, True])
def test_a_narrow_stroke_may_be_a_pixel_wider(turned):
    narrow, wider = (torch.zeros(1, 48, 48) for _ in range(2))
    narrow[0, 4:44, 10] = 1
    wider[0, 4:44, 10:12] = 1
    pair = [stroke.transpose(1, 2) if turned else stroke for stroke in (narrow, wider)]
    assert likeness(*pair) > 0.5


def test_print_of_another_width_is_still_compared():
    broad = PICTURE.resize((round(1.3 * PICTURE.width), PICTURE.height), Image.Resampling.LANCZOS)
    assert likeness(prepared(PICTURE), prepared(broad)) > 0.5
