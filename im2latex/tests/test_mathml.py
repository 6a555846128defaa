"""MathML says what the LaTeX says, and a formula cannot smuggle markup into a page."""

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from im2latex.errors import FormulaError
from im2latex.latex.mathml import MATHML, to_mathml
from im2latex.tests.formula_strategies import formulas, soups


def names(mathml):
    return [element.tag.removeprefix(f"{{{MATHML}}}") for element in ElementTree.fromstring(mathml).iter()]


def text(mathml):
    return "".join(ElementTree.fromstring(mathml).itertext())


def test_a_fraction_is_a_fraction():
    mathml = to_mathml(r"\frac{a}{b}")
    assert "mfrac" in names(mathml)
    assert text(mathml) == "ab"
    assert ElementTree.fromstring(mathml).get("display") == "block"


@pytest.mark.parametrize(("formula", "shown"), [("a<b", "a<b"), (r"\alpha\leq\infty", "α≤∞"), (r"x\&y", "x&y")])
def test_symbols_are_the_characters_they_show(formula, shown):
    assert text(to_mathml(formula)) == shown


@pytest.mark.parametrize(
    "formula",
    [
        r"\text{<script>alert(1)</script>}",
        r"\text{&lt;script&gt;alert(1)&lt;/script&gt;}",
        r"\mathrm{<script>}",
        r"\href{javascript:alert(1)}{x}",
        r"\style{background:url(x)}{x}",
        r"\class{a}{x}",
        r'\color{red" onclick="x}y',
    ],
)
def test_a_formula_adds_no_markup_of_its_own(formula):
    tree = ElementTree.fromstring(to_mathml(formula))
    assert all(element.tag.startswith(f"{{{MATHML}}}m") for element in tree.iter())
    attributes = {name for element in tree.iter() for name in element.attrib}
    assert not {"href", "style", "class", "id", "onclick"} & attributes


@pytest.mark.parametrize(
    "formula", ["", r"\left( x", r"\begin{array}{c} a", "{" * 5000 + "}" * 5000, r"x^a^b", "x\x00"]
)
def test_what_cannot_be_converted_is_a_formula_error(formula):
    with pytest.raises(FormulaError, match="MathML"):
        to_mathml(formula)


@given(st.one_of(formulas(), soups(), st.text(alphabet="ab<>&{}^_\\ \"'$%#", max_size=30)))
def test_whatever_is_asked_the_answer_is_xml_or_a_formula_error(formula):
    try:
        mathml = to_mathml(formula)
    except FormulaError:
        return
    assert names(mathml)[0] == "math"
