"""Promises of augmentation: every change is reproducible, keeps the ink, and leaves a picture that `prepare` reads."""

from dataclasses import fields, replace

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from im2latex.data.augment import Augment, AugmentConfig
from im2latex.images import ImageSpec, prepare

CHANCES = [field.name for field in fields(AugmentConfig) if field.type is float and field.name != "turn_degrees"]
CHANCES = [name for name in CHANCES if not name.endswith(("radius", "level"))]
NEVER = replace(AugmentConfig(), **dict.fromkeys(CHANCES, 0.0))


def drawing() -> Image.Image:
    """A formula-like picture: a thin bar, letters of strokes, paper around them."""
    image = Image.new("L", (160, 48), 255)
    pen = ImageDraw.Draw(image)
    pen.line((10, 24, 150, 24), fill=0, width=1)
    for left in range(12, 150, 12):
        pen.rectangle((left, 8, left + 1, 18), fill=0)
        pen.rectangle((left, 30, left + 6, 31), fill=0)
    return image.filter(ImageFilter.GaussianBlur(0.4))  # with greys at the edges, as print has them


def augmented(config: AugmentConfig, seed: int = 0) -> Image.Image:
    augment, random = Augment(config), np.random.default_rng(seed)
    return augment(drawing(), random, augment.draw_scale(random))


def test_no_chance_leaves_the_picture_alone() -> None:
    assert np.array_equal(augmented(NEVER), drawing())


@pytest.mark.parametrize("name", CHANCES)
def test_every_change_is_reproducible_and_keeps_the_ink(name: str) -> None:
    config = replace(NEVER, **{name: 1.0})
    for seed in range(8):
        image = augmented(config, seed)
        assert np.array_equal(image, augmented(config, seed))
        assert not np.array_equal(np.asarray(image.convert("L")), drawing())
        ink = prepare(image, ImageSpec(), shrink=1)  # in training the size of print is that of the unchanged picture
        before = prepare(drawing().resize(image.size) if name == "scale" else drawing(), ImageSpec(), shrink=1)
        assert ink.sum() > 0.5 * before.sum()


def test_all_changes_together_still_make_a_picture_that_is_read() -> None:
    config = replace(AugmentConfig(), **dict.fromkeys(CHANCES, 1.0))
    for seed in range(50):
        assert prepare(augmented(config, seed), ImageSpec()).sum() > 50


def test_sizes_stay_within_their_range() -> None:
    random = np.random.default_rng(0)
    scales = [Augment(AugmentConfig()).draw_scale(random) for _ in range(1000)]
    smallest, largest = AugmentConfig().scale_range
    assert 0.4 < sum(scale == 1 for scale in scales) / 1000 < 0.6
    assert smallest <= min(scales) < 0.7
    assert 1.3 < max(scales) <= largest
