"""Tests of readable LaTeX: short, the same tokens when read again, and the same picture."""

from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import im2latex.data
from im2latex.data.formulas import read_formulas
from im2latex.errors import FormulaError
from im2latex.latex import canonicalize, to_latex
from im2latex.latex.output import without_lone_array
from im2latex.rendering.renderer import Look, render_formulas
from im2latex.tests.formula_strategies import PIECES, formulas, soups

OUR_FORMULAS = Path(im2latex.data.__file__).parent / "small" / "formulas.txt"
MATRICES = (
    r"A = \begin{pmatrix} a & \frac{b}{2} \\ -c & d \end{pmatrix}",
    r"\left[\begin{array}{r|l} 1 & {\bf x} \\ \hline & y_1^2 \end{array}\right]",
    r"\begin{aligned} a &= b + c \\ &\leq d \end{aligned}",
    r"\left|\begin{matrix} a & b \\ [c] & *d \end{matrix}\right|",
)


@pytest.mark.parametrize(
    ("tokens", "latex"),
    [
        ("", ""),
        ("x _ { 1 } ^ { 2 }", "x_{1}^{2}"),
        (r"\frac { a } { b }", r"\frac{a}{b}"),
        (r"\ln x + \ln ( y )", r"\ln x+\ln(y)"),
        (r"\alpha 1 \alpha b", r"\alpha1\alpha b"),
        (r"a \ b", r"a\ b"),
        (r"- - --", "- - --"),
        (r"f ^ { \prime \prime } ( x _ { n } ^ { \prime } )", "f''(x_{n}')"),
        (r"{ ^ { \prime } } T ^ { \prime 2 }", r"{^{\prime}}T^{\prime2}"),
        (r"\overline { { x y } } \overline { { { x } } }", r"\overline{xy}\overline{{{x}}}"),
        (r"\operatorname { B l } \mathrm { i f ~ } x", r"\operatorname{Bl}\mathrm{if~}x"),
        (r"\left\langle a \right\rangle", r"\left\langle a\right\rangle"),
        (
            r"\begin{array} { l r } { a } & { b } \\ { c } & { } \\ \end{array}",
            r"\begin{array}{lr}a&b\\c&\end{array}",
        ),
        (r"\left( \begin{matrix} { 1 } \\ \end{matrix} \right)", r"\begin{pmatrix}1\end{pmatrix}"),
        (r"\left\{ \begin{cases} { a } & { b } \\ \end{cases} \right.", r"\begin{cases}a&b\end{cases}"),
        (r"\begin{aligned} { a } & { { } = b } \\ \end{aligned}", r"\begin{aligned}a&=b\end{aligned}"),
        (
            r"\sqrt [ \begin{matrix} { ] } \\ \end{matrix} ] { \begin{matrix} { a ] } \\ \end{matrix} }",
            r"\sqrt[\begin{matrix}{]}\\\end{matrix}]{\begin{matrix}a]\end{matrix}}",
        ),
        (
            r"\xleftarrow [ \sqrt [ \begin{cases} { a } & { b ] } \\ \end{cases} ] { y } ] { x }",
            r"\xleftarrow[\sqrt[\begin{cases}{a}&{b]}\\\end{cases}]{y}]{x}",
        ),
        (r"\begin{matrix} { a } \\ { [ b ] } \\ \end{matrix}", r"\begin{matrix}{a}\\{[b]}\\\end{matrix}"),
    ],
)
def test_latex_is_written_as_a_person_writes_it(tokens, latex):
    assert to_latex(tokens.split(" ") if tokens else []) == latex


@settings(max_examples=250, deadline=None)
@given(st.one_of(formulas(), soups()))
def test_readable_latex_is_read_as_the_same_tokens(formula):
    try:
        tokens = canonicalize(formula)
    except FormulaError:
        return
    assert canonicalize(to_latex(tokens)) == tokens


def test_our_own_formulas_are_read_back():
    for formula, _ in read_formulas(OUR_FORMULAS):
        tokens = canonicalize(formula)
        assert canonicalize(to_latex(tokens)) == tokens, formula


@settings(deadline=None)
@given(st.lists(st.sampled_from([piece for piece in PIECES if piece.strip()])))
def test_tokens_that_are_no_formula_are_joined_all_the_same(tokens):
    assert isinstance(to_latex(tokens), str)


@pytest.mark.needs_latex
def test_readable_latex_draws_the_same_picture():
    ours = [formula for formula, _ in islice(read_formulas(OUR_FORMULAS), 250)]
    canonical = [canonicalize(formula) for formula in (*ours, *MATRICES)]
    expected = list(render_formulas((" ".join(tokens) for tokens in canonical), Look()))
    drawn = list(render_formulas(map(to_latex, canonical), Look()))
    assert len(drawn) == len(expected) > 250
    for one, other in zip(drawn, expected, strict=True):
        assert one.image is not None, f"{one.formula}: {one.error}"
        assert other.image is not None
        assert one.image.tobytes() == other.image.tobytes(), one.formula


@pytest.mark.parametrize(
    ("tokens", "shown"),
    [
        (r"\begin{array} { c } { x } \\ \end{array}", "x"),
        (r"\begin{array} { c } { x } \end{array}", "x"),
        (r"\begin{array} { l } { x _ { 1 } } \end{array}", "x _ { 1 }"),
        (r"\begin{array} { c } { x } _ { 1 } \end{array}", "{ x } _ { 1 }"),
        (r"\begin{array} { c } { a } & { b } \end{array}", None),
        (r"\begin{array} { c } { a } \\ { b } \\ \end{array}", None),
        (r"\begin{array} { c } { a } \end{array} = \begin{array} { c } { b } \end{array}", None),
        (r"\begin{array} { c c } { a } \end{array}", None),
        ("x", None),
        ("", None),
    ],
)
def test_an_array_of_one_cell_that_is_all_of_a_formula_is_its_cell(tokens, shown):
    """Single symbols were read as arrays of one cell."""
    assert " ".join(without_lone_array(tokens.split())) == (tokens if shown is None else shown)
