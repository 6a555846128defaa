"""The size of print is told from the ink alone, for every formula of the small set."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from im2latex.data.im2latex100k import SMALL
from im2latex.data.packed import read_packed
from im2latex.images import ImageSpec, to_ink
from im2latex.ink import ink_box
from im2latex.scale import likely_factors, print_size, stroke_size


@pytest.fixture(scope="module")
def inks():
    """Ink of formulas in the official look."""
    packed = read_packed(Path(SMALL) / "test", ["image"])["image"].to_pylist()
    pictures = [Image.open(io.BytesIO(data)) for data in packed]
    return [ink.crop(ink_box(ink)) for ink in map(to_ink, pictures)]


def times(ink, factor):
    """The ink in another size."""
    return ink.resize((round(ink.width * factor), round(ink.height * factor)), Image.Resampling.LANCZOS)


def test_the_official_look_is_left_as_it_is(inks):
    assert {likely_factors(ink, ImageSpec.min_factor)[0] for ink in inks} == {1.0}


@pytest.mark.parametrize(("factor", "share"), [(2, 0.95), (3, 0.9), (4, 0.8)])
def test_larger_print_is_shrunk_by_a_whole_part(inks, factor, share):
    found = np.array([likely_factors(times(ink, factor), ImageSpec.min_factor)[0] for ink in inks])
    assert np.mean(np.isclose(found, 1 / factor)) > share


@pytest.mark.parametrize(
    ("size", "parts"),
    [
        (0.4, [1 / 1.4, 1]), (0.85, [1, 1 / 1.4]), (1.0, [1]), (1.4, [1, 1.4]), (1.5, [2, 1.5, 1]), (1.7, [2, 1]),
        (1.8, [2, 1]), (1.9, [2]), (2.4, [2, 3]), (2.53, [2, 2.53, 3]), (2.6, [3, 2]), (4.0, [4, 5, 3]),
        (11.0, [10, 9, 8, 7, 6]),
    ],
)  # fmt: skip
def test_print_whose_size_is_not_plain_may_be_of_others_near_it(monkeypatch, inks, size, parts):
    monkeypatch.setattr("im2latex.scale.print_size", lambda ink: size)
    assert likely_factors(inks[0], ImageSpec.min_factor) == pytest.approx([1 / part for part in parts])


def test_what_jpeg_leaves_beside_strokes_makes_them_no_narrower(inks):
    for ink in inks[:20]:
        clear = ImageOps.invert(times(ink, 2))
        file = io.BytesIO()
        clear.save(file, "JPEG", quality=30)
        assert stroke_size(to_ink(Image.open(file))) == pytest.approx(stroke_size(to_ink(clear)), rel=0.06)


def test_both_witnesses_agree_on_what_is_larger(inks):
    sizes = np.array([[print_size(times(ink, factor)) for factor in (1, 1.5, 2, 4)] for ink in inks[:20]])
    assert (np.diff(sizes) > 0).all()


def test_print_far_larger_than_the_network_has_seen_is_measured_in_a_reduced_copy(inks):
    ink = min(inks, key=lambda ink: ink.width * ink.height)
    assert print_size(times(ink, 10)) == pytest.approx(10 * print_size(ink), rel=0.35)
    assert print_size(times(ink, 10)) > 0.5 * stroke_size(times(ink, 10))
