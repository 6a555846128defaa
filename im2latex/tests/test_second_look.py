"""Print whose size is in doubt is read in its other sizes, too, where the first reading leaves doubts."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from im2latex.images import ImageSpec, Placement, Prepared, prepare, prepare_scales, resize
from im2latex.prediction import Prediction
from im2latex.predictor import Predictor
from im2latex.second_look import DOUBT, FACTORS, GAIN, LOST, look_again

FORMULA = Image.open(Path(__file__).parents[2] / "docs/images/formula.png")
SPEC = ImageSpec()
SURE, DOUBTFUL, WORSE = DOUBT + 0.05, DOUBT - 0.04, DOUBT - 0.07
CIRCLES = " ".join(["~"] * 20)


def scale(value: float) -> Prepared:
    """A picture that is told from others by its ink."""
    return Prepared(torch.full((1, 16, 16), value), Placement(0, 0, 1.0, 1.0, 16, 16))


def read(mean_log_prob: float, likeness: float | None = None) -> Prediction:
    return Prediction("x", "x", 0.5, [0.5], mean_log_prob=mean_log_prob, likeness=likeness)


def look(first: list[Prediction], others: dict[float, Prediction], pictures: list[list[float]]):
    """The scale and the prediction that each picture ends with, and which scales were looked at again."""
    asked: list[float] = []

    def predict(images):
        asked.extend(round(float(image[0, 0, 0]), 3) for image in images)
        return [others[value] for value in asked]

    scales = [[scale(value) for value in values] for values in pictures]
    found = look_again(scales, first, predict)
    return [(round(float(one.image[0, 0, 0]), 3), prediction) for one, prediction in found], asked


@pytest.mark.parametrize("values", [[0.1, 0.2], [0.1]], ids=["what is sure", "what has one size"])
def test_nothing_else_is_looked_at_for(values):
    first = [read(SURE if len(values) > 1 else DOUBTFUL)]
    assert look(first, {}, [values]) == ([(0.1, first[0])], [])


def test_what_leaves_doubts_is_read_in_all_its_sizes_and_the_surest_is_taken():
    others = {0.4: read(SURE), 0.6: read(WORSE), 0.7: read(WORSE)}
    first = [read(SURE), read(DOUBTFUL), read(DOUBTFUL)]
    found, asked = look(first, others, [[0.1, 0.2], [0.3, 0.4], [0.5, 0.6, 0.7]])
    assert asked == [0.4, 0.6, 0.7]
    assert found == [(0.1, first[0]), (0.4, others[0.4]), (0.5, first[2])]


def test_what_goes_round_in_circles_in_another_size_is_left_aside():
    circles = replace(read(SURE), tokens=CIRCLES)
    first = [read(DOUBTFUL)]
    assert look(first, {0.2: circles}, [[0.1, 0.2]]) == ([(0.1, first[0])], [0.2])


def resized(mean_log_prob: float, *others: Prediction, circles: bool = False):
    """What is read, and at which factor, of a picture of 320 px whose first reading is like this."""
    first = read(mean_log_prob)
    first = replace(first, tokens=CIRCLES) if circles else first
    picture = Prepared(torch.zeros(1, 160, 320), Placement(0, 0, 1.0, 1.0, 320, 160))
    asked: list[torch.Size] = []

    def predict(images):
        asked.extend(image.shape for image in images)
        return others

    ((prepared, found),) = look_again([[picture]], [first], predict)
    assert asked == [(1, 128, 256), (1, 144, 288), (1, 176, 352)][: len(others)]
    return found, round(1 / prepared.placement.across, 6)


def test_what_lost_its_way_is_read_a_little_smaller_and_larger():
    assert FACTORS == (0.8, 0.9, 1.1)
    readings = [read(LOST - 0.05), read(LOST + 0.03), read(LOST + 0.02)]
    assert resized(LOST - 0.01, *readings) == (readings[1], 0.9)
    assert resized(LOST + 0.01) == (read(LOST + 0.01), 1.0)


def test_so_is_what_goes_round_in_circles_unless_it_is_sure():
    circles = replace(read(LOST + 0.05), tokens=CIRCLES)
    assert resized(DOUBT + 0.01, circles=True)[1] == 1.0
    assert resized(DOUBT - 0.02, read(SURE), read(WORSE), read(WORSE), circles=True) == (read(SURE), 0.8)
    assert resized(LOST - 0.1, circles, read(WORSE), read(WORSE), circles=True)[1] == 0.8
    assert resized(LOST - 0.1, circles, read(LOST - 0.02), read(WORSE - 0.2))[1] == 0.9


def test_a_point_of_a_picture_that_was_resized_is_where_it_was():
    whole = Prepared(torch.rand(1, 64, 96), Placement(-3, 5, 2.0, 2.5, 180, 170))
    half = resize(whole, 0.5)
    assert half.image.shape == (1, 32, 48)
    assert half.placement.to_picture(24, 16) == whole.placement.to_picture(48, 32)
    assert resize(whole, 0.6).image.shape == (1, 48, 64)
    assert resize(whole, 0.6).image[0, 39:].eq(0).all()


def test_what_was_compared_with_its_rendering_is_not_resized():
    first = [read(LOST - 0.5, likeness=0.5)]
    assert look(first, {}, [[0.1]]) == ([(0.1, first[0])], [])


def test_what_is_hardly_surer_is_not_taken():
    first, others = [read(DOUBTFUL)], {0.2: read(DOUBTFUL + GAIN / 2)}
    assert look(first, others, [[0.1, 0.2]])[0] == [(0.1, first[0])]


def test_what_looks_like_the_picture_wins_over_what_is_surer():
    first, others = [read(DOUBTFUL, likeness=0.9)], {0.2: read(SURE, likeness=0.8)}
    assert look(first, others, [[0.1, 0.2]]) == ([(0.1, first[0])], [0.2])


def test_what_looks_the_same_as_the_picture_is_not_looked_at_again():
    first = [read(DOUBTFUL, likeness=1.0)]
    assert look(first, {}, [[0.1, 0.2]]) == ([(0.1, first[0])], [])


@pytest.fixture(scope="module")
def predictor():
    return Predictor.load()


@pytest.fixture(scope="module")
def misjudged():
    """A formula whose print was taken for twice as large as it is."""
    right = prepare_scales(FORMULA, SPEC)[0]
    return [replace(right, image=prepare(FORMULA, SPEC, shrink=0.5)), right]


def test_the_shipped_model_reads_print_that_was_misjudged(predictor, misjudged):
    wanted = predictor.predict_prepared([prepare(FORMULA, SPEC)])[0]
    assert predictor.predict_prepared([misjudged[0].image])[0].tokens != wanted.tokens
    ((taken, found),) = predictor.predict_scales([misjudged])
    assert (taken, found.tokens) == (misjudged[1], wanted.tokens)


def test_only_the_first_reading_is_led_out_of_circles_by_a_beam(predictor, misjudged, monkeypatch):
    led = []
    monkeypatch.setattr("im2latex.predictor.leave_circles", lambda _, image, reading: led.append(image) or reading)
    predictor.predict_scales([misjudged])
    assert [image.shape for image in led] == [misjudged[0].image.shape]
    assert misjudged[0].image.shape != misjudged[1].image.shape


def test_a_stream_ends_with_the_better_reading(predictor, misjudged):
    tokens, stream = [], predictor.stream_scales(misjudged)
    while True:
        try:
            tokens.append(next(stream).token)
        except StopIteration as end:
            taken, found = end.value
            break
    assert tokens == predictor.predict_prepared([misjudged[0].image])[0].tokens.split()
    assert (taken, found.tokens) == (misjudged[1], predictor.predict(FORMULA).tokens)
