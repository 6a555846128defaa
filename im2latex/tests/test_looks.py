"""Promises of the looks: shares are kept, a formula keeps its look, every look draws."""

from collections import Counter

import pytest

from im2latex.data.formulas import Formula
from im2latex.data.looks import FONTS, LOOKS, OFFICIAL, draw_look
from im2latex.data.packed import read_packed
from im2latex.data.prepare import prepare
from im2latex.rendering.renderer import Look, Renderer
from im2latex.tests.rendering import NEIGHBOURS, pixels


def test_the_official_look_has_its_share_and_the_others_share_the_rest() -> None:
    drawn = Counter(draw_look(f"x_{{{number}}}", 0.6) for number in range(10_000))
    assert abs(drawn[OFFICIAL] - 6000) < 200
    assert drawn.keys() == LOOKS.keys()
    assert max(drawn[name] for name in LOOKS if name != OFFICIAL) < 2 * 4000 / (len(LOOKS) - 1)


def test_the_look_of_a_formula_depends_on_nothing_else() -> None:
    assert draw_look("x^2", 0.5) == draw_look("x^2", 0.5)
    assert {draw_look(f"x^{number}", 1.0) for number in range(100)} == {OFFICIAL}


@pytest.mark.needs_latex
@pytest.mark.needs_fonts
@pytest.mark.parametrize("name", [*LOOKS, *(f"font {name}" for name in FONTS)])
def test_every_look_draws_a_picture_of_its_own(name: str) -> None:
    look = LOOKS[name] if name in LOOKS else Look(preamble=FONTS[name.removeprefix("font ")])
    with Renderer(look) as renderer:
        drawn = [pixels(rendered) for rendered in renderer.render(NEIGHBOURS)]
        official = [pixels(rendered) for rendered in renderer.render(NEIGHBOURS, look=Look())]
    same = [ours.shape == theirs.shape and (ours == theirs).all() for ours, theirs in zip(drawn, official, strict=True)]
    assert all(same) if name == OFFICIAL else not any(same)


@pytest.mark.needs_latex
@pytest.mark.needs_fonts
def test_a_prepared_set_names_the_look_of_every_picture(tmp_path) -> None:
    formulas = [Formula(rf"\alpha_{{{number}}} + b", "list") for number in range(24)]
    prepare(formulas, tmp_path / "set", Look(), look_share=0.5)
    table = read_packed(tmp_path / "set", ["formula", "source", "height", "tokens"])
    assert [row["formula"] for row in table.to_pylist()] == [formula.formula for formula in formulas]
    for row in table.to_pylist():
        assert row["source"] == f"list/{draw_look(row['formula'], 0.5)}"
    assert len(set(table["source"].to_pylist())) > 5
