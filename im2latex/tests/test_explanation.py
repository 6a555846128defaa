"""An explanation points at the ink that was read, in the pixels of the very picture that was given."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from im2latex import Predictor
from im2latex.bundle import Bundle
from im2latex.errors import BundleError
from im2latex.explanation import Attention, find_box
from im2latex.images import ImageSpec, prepare, prepare_scales
from im2latex.tests.tiny_decoder import TOKENIZER, TinyDecoder

SPEC = ImageSpec()
README = Path(__file__).parents[2] / "docs/images/formula.png"


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor.load()


def two_bars(size: tuple[int, int], stroke: int, background: str = "white") -> Image.Image:
    """A thin frame of ink, and a solid square inside, from 50 % to 60 % of the width and height."""
    width, height = size
    image = Image.new("RGB", size, background)
    draw = ImageDraw.Draw(image)
    ink = "black" if background == "white" else "white"
    draw.rectangle((width // 10, height // 10, width * 9 // 10, height * 9 // 10), outline=ink, width=stroke)
    draw.rectangle((width // 2, height // 2, width * 6 // 10 - 1, height * 6 // 10 - 1), fill=ink)
    return image


@pytest.mark.parametrize(
    ("size", "stroke", "background"),
    [((200, 100), 1, "white"), ((200, 100), 1, "black"), ((1000, 600), 6, "white"), ((5000, 400), 1, "white")],
    ids=["as it is", "light on dark", "large print", "too wide"],
)
def test_a_box_on_the_tensor_is_brought_back_to_where_the_ink_lies_on_the_picture(size, stroke, background):
    image = two_bars(size, stroke, background)
    found = prepare_scales(image, SPEC)[0]
    prepared, placement = found.image, found.placement
    assert torch.equal(prepared, prepare(image, SPEC))
    maps = torch.zeros(1, prepared.shape[1] // 8, prepared.shape[2] // 8)
    region = Attention(maps.numpy(), prepared, placement).region
    x = 0.55 * size[0] - region[0]
    y = 0.55 * size[1] - region[1]
    row = int(y / (region[3] - region[1]) * maps.shape[1])
    column = int(x / (region[2] - region[0]) * maps.shape[2])
    maps[0, row, column] = 1.0
    attention = Attention(maps.numpy(), prepared, placement)
    (box,) = attention.boxes()
    cell = 8 * placement.across
    assert 0.5 * size[0] - cell <= box[0] <= 0.55 * size[0] <= box[2] <= 0.6 * size[0] + cell
    assert 0.5 * size[1] - cell <= box[1] <= 0.55 * size[1] <= box[3] <= 0.6 * size[1] + cell
    for shown in (1.0, 0.5):
        heat = attention.heat(0, (int(shown * size[1]), int(shown * size[0])))
        hottest = np.unravel_index(heat.argmax(), heat.shape)
        assert abs(hottest[1] / shown - 0.55 * size[0]) <= cell
        assert abs(hottest[0] / shown - 0.55 * size[1]) <= cell
        assert heat.max() <= 1


def test_a_box_ends_where_the_ink_of_the_strongest_place_ends():
    weights = np.zeros((4, 10), dtype=np.float32)
    weights[1, 2], weights[2, 8] = 0.6, 0.4
    ink = np.zeros((32, 80), dtype=bool)
    ink[9:14, 17:21] = True
    ink[18:22, 65:70] = True
    assert find_box(weights, ink) == (17, 9, 21, 14)


def test_where_there_is_no_ink_the_box_is_what_was_looked_at():
    weights = np.zeros((4, 10), dtype=np.float32)
    weights[1, 2] = 1.0
    left, top, right, bottom = find_box(weights, np.zeros((32, 80), dtype=bool))
    assert (left, top) <= (16, 8)
    assert (right, bottom) >= (24, 16)


def test_boxes_stay_inside_the_picture():
    image = Image.new("L", (30, 20), 255)
    ImageDraw.Draw(image).line((0, 0, 29, 19), fill=0)
    prepared = prepare_scales(image, SPEC)[0]
    maps = np.zeros((1, prepared.image.shape[1] // 8, prepared.image.shape[2] // 8), dtype=np.float32)
    maps[0, -1, -1] = 1.0  # the paper that was added right and below
    (box,) = Attention(maps, prepared.image, prepared.placement).boxes()
    assert 0 <= box[0] <= box[2] <= 30
    assert 0 <= box[1] <= box[3] <= 20


def test_the_shipped_model_looks_from_left_to_right_at_the_formula_of_the_readme(predictor):
    found = predictor.explain(README)
    assert found.prediction == predictor.predict(README)
    tokens = found.prediction.tokens.split()
    assert len(found.boxes) == len(tokens) == len(found.attention.maps)
    np.testing.assert_allclose(found.attention.maps.sum((1, 2)), 1, atol=1e-4)
    lefts = [box[0] for token, box in zip(tokens, found.boxes, strict=True) if token in ("x", "=", r"\pm", r"\sqrt")]
    assert lefts == sorted(lefts)
    assert lefts[-1] > lefts[0] + found.image.width / 3


def test_a_picture_that_lies_on_its_side_is_explained_upright(predictor):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    file = io.BytesIO()
    Image.open(README).convert("L").rotate(90, expand=True).save(file, "PNG", exif=exif)
    found, upright = predictor.explain(file.getvalue()), predictor.explain(README)
    assert found.image.size == upright.image.size
    assert found.boxes == upright.boxes


def test_a_map_does_not_depend_on_the_pictures_and_formulas_beside_it(predictor):
    image = prepare(Image.open(README), SPEC)
    formulas = ["x _ { 1 , 2 } = 3", "x", ""]
    together = predictor.attend([image, image.flip(2), image], formulas)
    assert [len(maps) for maps in together] == [9, 1, 0]
    np.testing.assert_allclose(together[0], predictor.attend([image], formulas[:1])[0], atol=1e-5)
    np.testing.assert_allclose(together[1], predictor.attend([image.flip(2)], formulas[1:2])[0], atol=1e-5)


def test_a_bundle_without_attention_still_reads_and_says_what_to_do_when_asked():
    old = Predictor(Bundle(TinyDecoder(), TOKENIZER, SPEC, {"name": "older"}))
    old.warm_up()
    assert old.predict(two_bars((60, 40), 1)).latex == "x^{2}"
    with pytest.raises(BundleError, match="the model older cannot say where it looked: export its bundle again"):
        old.explain(two_bars((60, 40), 1))
