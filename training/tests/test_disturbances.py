"""Pictures are changed as the name says, and noise is the same whenever it is drawn."""

import numpy as np
import pytest
from PIL import Image

from im2latex.images import to_grey
from training.disturbances import DISTURBANCES, draw_noise

PICTURE = Image.new("L", (60, 30), 255)
PICTURE.paste(0, (20, 10, 40, 20))


@pytest.mark.parametrize(
    ("name", "size"),
    [("scale 0.5", (30, 15)), ("scale 2", (120, 60)), ("scale 3", (180, 90)), ("inversion", (60, 30))],
)
def test_sizes_are_those_of_the_name(name, size):
    assert DISTURBANCES[name](PICTURE).size == size


@pytest.mark.parametrize("name", DISTURBANCES)
def test_every_disturbance_changes_the_picture_and_leaves_its_source_as_it_is(name):
    before = PICTURE.tobytes()
    changed = DISTURBANCES[name](PICTURE)
    assert (changed.mode, changed.size, changed.tobytes()) != ("L", PICTURE.size, before)
    assert PICTURE.tobytes() == before


def test_a_transparent_picture_shows_the_same_on_paper():
    assert to_grey(DISTURBANCES["transparency"](PICTURE)).tobytes() == PICTURE.tobytes()


def test_an_inverted_picture_is_light_on_dark():
    assert np.asarray(DISTURBANCES["inversion"](PICTURE))[15, 30] == 255


def test_a_turned_picture_has_white_corners_and_loses_no_ink():
    turned = np.asarray(DISTURBANCES["rotation by 2 degrees"](PICTURE))
    assert turned[0, 0] == turned[-1, -1] == 255
    assert (255 - turned.astype(int)).sum() == pytest.approx(255 * 200, rel=0.05)


def test_noise_follows_from_its_seed_and_comes_in_kinds():
    first = [draw_noise(seed).tobytes() for seed in range(8)]
    assert first == [draw_noise(seed).tobytes() for seed in range(8)]
    assert len(set(first)) == 8
    assert all(np.ptp(np.asarray(draw_noise(seed))) > 100 for seed in range(8))
