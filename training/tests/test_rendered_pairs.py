"""Predictions are compared with their references as pictures, and what TeX refuses is no match."""

import pytest
from PIL import Image

from im2latex.rendering.raster import NO_INK
from im2latex.rendering.renderer import Rendered
from training.rendered_pairs import compare_rendered, comparison_scores, compiles

PAIRS = {
    r"x ^ { 2 }": "x^{2}",
    r"a \, b": "ab",
    r"\frac { a } { b } + c": r"\frac{a}{b}+\alpha\beta",
    r"y": r"\frac{y",
    r"z": "",
    r"\badly": "z",
}


@pytest.mark.parametrize(
    ("rendered", "expected"),
    [
        (Rendered(0, "x", Image.new("L", (1, 1)), None), True),
        (Rendered(0, r"\,", None, NO_INK), True),
        (Rendered(0, r"\badly", None, "Undefined control sequence \\badly"), False),
    ],
)
def test_a_formula_compiles_when_tex_accepts_it_even_if_it_shows_nothing(rendered, expected):
    assert compiles(rendered) == expected


@pytest.mark.needs_latex
def test_each_pair_is_compared_and_counted():
    found = list(compare_rendered(list(PAIRS), list(PAIRS.values()), workers=1))
    assert [one.compiles for one in found] == [True, True, True, False, True, True]
    assert [one.match is not None and one.match.is_match for one in found] == [True, False, False, False, False, False]
    assert found[5].match is None
    scores = comparison_scores(found, [True, True, True, True, True, False])
    assert scores["compile_rate"] == 80
    assert scores["image_match"] == 20
