"""The model that ships reads the picture of the README, in every light a user may give it."""

from pathlib import Path

import pytest
from PIL import Image, ImageOps

from im2latex import Predictor

PICTURE = Path(__file__).parents[2] / "docs/images/formula.png"
LATEX = r"x_{1,2}=\frac{-b\pm\sqrt{b^{2}-4ac}}{2a}"


@pytest.fixture(scope="module")
def predictor():
    return Predictor.load()


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image,
        ImageOps.invert,
        lambda image: ImageOps.expand(image, 40, fill=255),
        lambda image: image.resize((2 * image.width, 2 * image.height), Image.Resampling.LANCZOS),
    ],
    ids=["as it is", "light on dark", "wide margins", "twice as large"],
)
def test_the_picture_of_the_readme_is_read(predictor, change):
    assert predictor.predict(change(Image.open(PICTURE).convert("L"))).latex == LATEX


def test_the_shipped_model_is_small_enough_for_a_repository():
    assert max(path.stat().st_size for path in (PICTURE.parents[2] / "im2latex/bundles").glob("*.pt")) < 32e6
