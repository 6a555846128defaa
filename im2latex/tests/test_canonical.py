"""Tests of the normal form: what it looks like, that it is stable, and that no string breaks it."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import im2latex.data
from im2latex.data.formulas import read_formulas
from im2latex.errors import FormulaError
from im2latex.latex import canonicalize, to_official
from im2latex.latex.commands import FUNCTIONS
from im2latex.tests.formula_strategies import formulas, soups

OUR_FORMULAS = Path(im2latex.data.__file__).parent / "small" / "formulas.txt"


def canonical(formula):
    return " ".join(canonicalize(formula))


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("x^2_1", "x _ { 1 } ^ { 2 }"),
        ("{x_1}^2", "{ x _ { 1 } } ^ { 2 }"),
        ("_2F_1", "_ 2 F _ { 1 }"),
        ("f''", r"f ^ { \prime \prime }"),
        (r"{a+b\over c}", r"{ \frac { a + b } { c } }"),
        (r"{\displaystyle a\over{b}}", r"{ \frac { \displaystyle a } { b } }"),
        (r"{\bf a\over b}", r"{ \bf \frac { a } { b } }"),
        (r"{n \choose k}", r"{ \binom { n } { k } }"),
        (r"\dfrac12", r"\frac 1 2"),
        (r"a \lt b^\gt", "a < b ^ { > }"),
        (r"\sqrt 2+\sqrt[3]{x}", r"\sqrt 2 + \sqrt [ 3 ] { x }"),
        (r"\hat x\hat{xy}", r"\hat { x } \hat { x y }"),
        (r"\mathcal A\mathbb{R}", r"\mathcal A \mathbb { R }"),
        (r"{\rm d}x, a\rm b", r"\mathrm { d } x , a \mathrm { b }"),
        (r"x_{\rm max}", r"x _ { \mathrm { m a x } }"),
        (r"\text{if } x", r"\mathrm { i f ~ } x"),
        (r"\left ( x \right\}", r"\left( x \right\}"),
        (r"\big\{ a", r"\big \{ a"),
        (r"a\ b~c\,d", r"a \ b ~ c \, d"),
        (r"\sum\limits_{i}", r"\sum _ { i }"),
        (r"\hskip 1cm", r"\hspace { 1 c m }"),
        (r"a \\ b", r"a \, b"),
        (r"50\% % half", r"5 0 \%"),
        (r"\label{eq:a_1} x = $y$", "x = y"),
    ],
)
def test_normal_form_of(formula, expected):
    assert canonical(formula) == expected
    assert canonical(expected) == expected


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        (
            r"\begin{array}{c|c} a&b\\ c \end{array}",
            r"\begin{array} { c | c } { a } & { b } \\ { c } \\ \end{array}",
        ),
        (
            r"\begin{array}[t]{@{}l*{9}{r}} a&b \end{array}",
            r"\begin{array} { l r r } { a } & { b } \\ \end{array}",
        ),
        (
            r"\begin{pmatrix} 1 \\[2pt] {2} \end{pmatrix}",
            r"\left( \begin{matrix} { 1 } \\ { { 2 } } \\ \end{matrix} \right)",
        ),
        (r"\begin{cases} a \end{cases}", r"\left\{ \begin{cases} { a } \\ \end{cases} \right."),
        (r"\begin{aligned} a&=b \end{aligned}", r"\begin{aligned} { a } & { { } = b } \\ \end{aligned}"),
        (
            r"\begin{matrix} a \\ \hline b \\ \end{matrix}",
            r"\begin{matrix} { a } \\ \hline { b } \\ \end{matrix}",
        ),
    ],
)
def test_environments_have_every_cell_in_braces_once(formula, expected):
    assert canonical(formula) == expected
    assert canonical(expected) == expected


@pytest.mark.parametrize(
    "spellings",
    [
        ("x_1^2", "x^2_1", "x ^ {2} _ {1}"),
        ("f'", r"f^\prime", r"f^{\prime}"),
        (r"{a \over b}", r"{\frac{a}{b}}", r"{\tfrac{a}{b}}"),
        (r"\overline x", r"\overline{x}", r"\overline{{x}}"),
        (r"\max x", r"\operatorname*{max} x", r"\operatorname * { m a x } x"),
        (r"\ln x", r"\operatorname{ln} x"),
        (r"\mathrm{Re~z}", r"\text{Re z}", r"\mbox{Re z}"),
        (r"\left(\begin{matrix} a \end{matrix}\right)", r"\begin{pmatrix} a \end{pmatrix}"),
    ],
)
def test_one_spelling_for_one_picture(spellings):
    assert len({canonical(spelling) for spelling in spellings}) == 1


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("T'^{2}", r"T ^ { \prime 2 }"),
        (r"\sqrt[3]{x}", r"\sqrt [ 3 ] { x }"),
        (r"\mathrm{\mu m}", r"\mathrm { \mu m }"),
        (r"\sum_{\substack{a \\ b}}", r"\sum _ { \substack { a \\ b } }"),
        (r"x_\textbf{a}", r"x _ { \textbf { a } }"),
        (r"\frac{a}{\rm b}", r"\frac { a } { \mathrm { b } }"),
        (r"\int\limits_a", r"\int \limits _ { a }"),
        (r"\mathop{a}\nolimits_b", r"\mathop { a } \nolimits _ { b }"),
    ],
)
def test_what_the_official_form_loses_is_kept(formula, expected):
    assert canonical(formula) == expected


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_is_one_token_and_official_again_by_conversion(function):
    official = to_official([function])
    assert len(official) > 1
    assert canonicalize(" ".join(official)) == canonicalize(function) == [function]


def test_official_form_has_no_token_of_ours():
    tokens = canonicalize(r"\lim_x \operatorname*{esssup} \int\limits_0 \arg\max\nolimits x")
    official = r"\operatorname* { l i m } _ { x } \operatorname * { e s s s u p } \int _ { 0 } "
    official += r"\operatorname { a r g } \operatorname { m a x } x"
    assert " ".join(to_official(tokens)) == official


def test_our_own_formulas_have_a_stable_normal_form():
    ours = [formula for formula, _ in read_formulas(OUR_FORMULAS)]
    assert len(ours) > 300
    for formula in ours:
        tokens = canonicalize(formula)
        assert canonicalize(" ".join(tokens)) == tokens, formula


@settings(max_examples=250, deadline=None)
@given(st.one_of(formulas(), soups()))
def test_normal_form_of_a_normal_form_is_itself(formula):
    try:
        tokens = canonicalize(formula)
    except FormulaError:
        return
    assert canonicalize(" ".join(tokens)) == tokens


@settings(max_examples=150, deadline=None)
@given(formulas())
def test_a_formula_as_a_person_writes_it_is_never_refused(formula):
    canonicalize(formula)


@settings(max_examples=250, deadline=None)
@given(st.one_of(st.text(), soups()))
def test_any_text_is_read_or_refused_with_our_own_error(text):
    try:
        tokens = canonicalize(text)
    except FormulaError:
        return
    assert all(token.isascii() and " " not in token for token in tokens)


@pytest.mark.parametrize(
    "piece",
    [
        "{",
        "x^{",
        "x_",
        r"\frac",
        r"\sqrt",
        r"\left(",
        r"\hat",
        r"\bf",
        r"\rm ",
        r"\begin{matrix}",
        r"\text{",
        "{a\\over",
        "'",
    ],
)
def test_endless_nesting_is_refused_and_not_a_recursion_error(piece):
    with pytest.raises(FormulaError):
        canonicalize(piece * 5000 + "}" * 4999)


def test_nesting_that_people_write_is_read():
    assert len(canonicalize("{" * 40 + "x" + "}" * 40)) == 81
    assert canonicalize("x^{" * 30 + "y" + "}" * 30)


@pytest.mark.parametrize(
    ("formula", "seen"),
    [
        ("{a", "the end"),
        ("a}", "}"),
        ("x^", "the end"),
        ("x_a_b", "_"),
        (r"\left( a", "the end"),
        ("a & b", "&"),
        (r"\begin{table} a \end{table}", "table"),
        (r"\begin{matrix} a \end{array}", "matrix"),
        ("x = é", "U+00E9"),
        (r"{a \over b \over c}", r"\over"),
    ],
)
def test_a_refusal_says_what_was_seen(formula, seen):
    with pytest.raises(FormulaError, match=r"want|no ") as refusal:
        canonicalize(formula)
    assert seen in str(refusal.value)
