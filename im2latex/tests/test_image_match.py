"""Pictures match when im2markup's columns say so; where we are stricter, both answers are told apart."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from im2latex.image_match import TOLERANCE, compare_images, image_scores, no_image

RANDOM = np.random.default_rng(0)
SHAPES = 255 * (RANDOM.random((30, 120)) < 0.5).astype(np.uint8)  # columns differ in some 15 of 30 pixels
pictures = st.integers(0, 2**32).map(
    lambda seed: to_image(255 * (np.random.default_rng(seed).random((1 + seed % 9, 1 + seed % 23)) < 0.5))
)


def to_image(pixels) -> Image.Image:
    return Image.fromarray(np.asarray(pixels).astype(np.uint8))


def replace_columns(count: int, with_level: int = 0) -> np.ndarray:
    changed = SHAPES.copy()
    changed[:, 50 : 50 + count] = with_level
    return changed


def insert_columns(count: int, level: int) -> np.ndarray:
    return np.insert(SHAPES, [50] * count, level, axis=1)


def test_a_picture_matches_itself():
    match = compare_images(to_image(SHAPES), to_image(SHAPES))
    assert (match.edits, match.columns, match.is_identical, match.is_match) == (0, 120, True, True)


def test_greys_count_as_ink_up_to_level_128():
    for level, is_identical in ((128, True), (129, False)):
        greyed = np.where(SHAPES == 0, level, 255)
        assert compare_images(to_image(SHAPES), to_image(greyed)).is_identical == is_identical


@pytest.mark.parametrize(("count", "is_match"), [(TOLERANCE - 1, True), (TOLERANCE, False)])
def test_a_run_of_five_other_columns_is_no_match(count, is_match):
    match = compare_images(to_image(SHAPES), to_image(replace_columns(count)))
    assert match.edits == count
    assert match.is_match == match.is_published_match == is_match


@pytest.mark.parametrize(("pixels", "is_match"), [(TOLERANCE - 1, True), (TOLERANCE, False)])
def test_columns_that_differ_in_fewer_than_five_pixels_count_as_equal(pixels, is_match):
    changed = SHAPES.copy()
    changed[:pixels, 40:60] = 255 - changed[:pixels, 40:60]
    match = compare_images(to_image(SHAPES), to_image(changed))
    assert match.edits == 20
    assert match.is_match == is_match


def test_a_wide_space_matters_unless_blank_columns_are_ignored():
    spaced = to_image(insert_columns(12, 255))
    match = compare_images(spaced, to_image(SHAPES))
    assert (match.edits, match.columns) == (12, 132)
    assert not match.is_match
    assert match.is_match_without_blanks


def test_added_ink_is_no_match_although_the_published_script_pardons_it():
    match = compare_images(to_image(SHAPES), to_image(insert_columns(12, 0)))
    assert match.is_published_match
    assert match.is_published_match_without_blanks
    assert not match.is_match
    assert not match.is_match_without_blanks


def test_the_lower_picture_is_padded_below():
    higher = np.vstack([SHAPES, np.full((9, 120), 255)])
    assert compare_images(to_image(SHAPES), to_image(higher)).is_identical
    assert not compare_images(to_image(SHAPES), to_image(np.roll(higher, 9, axis=0))).is_match


def test_blank_pictures_match_each_other_only():
    blank, wider = (Image.new("L", (width, 30), 255) for width in (20, 60))
    assert compare_images(blank, wider).is_match_without_blanks
    assert not compare_images(blank, to_image(SHAPES)).is_match_without_blanks


@given(pictures, pictures)
def test_edits_are_few_and_ours_is_the_stricter_match(left, right):
    match = compare_images(left, right)
    assert abs(left.width - right.width) <= match.edits <= match.columns == max(left.width, right.width)
    assert match.is_published_match >= match.is_match >= match.is_identical
    assert match.is_published_match_without_blanks >= match.is_match_without_blanks


def test_scores_are_over_the_corpus_and_a_missing_picture_is_all_edits():
    right = compare_images(to_image(SHAPES), to_image(SHAPES))
    scores = image_scores([right, right, right, no_image(Image.new("L", (40, 9)))])
    assert scores["image_match"] == scores["image_identical"] == 75
    assert scores["image_edit_score"] == pytest.approx(100 * 360 / 400)
    assert image_scores([])["image_match"] == 0
