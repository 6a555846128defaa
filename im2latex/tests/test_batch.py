"""Tests that a formula, however bad or hostile, costs its neighbours nothing and reaches nothing outside."""

import re
from itertools import chain, cycle

import numpy as np
import pytest

from im2latex.rendering.tex import NO_END
from im2latex.tests.rendering import NEIGHBOURS, draw, pixels


@pytest.mark.needs_latex
def test_amsmath_for_one_formula_changes_no_other():
    alone = [pixels(rendered) for rendered in draw(*NEIGHBOURS)]
    mixed = draw(NEIGHBOURS[0], r"\begin{aligned} a &= b \\ c &= d \end{aligned}", *NEIGHBOURS[1:])
    assert mixed[1].error is None
    for before, after in zip(alone, [mixed[0], *mixed[2:]], strict=True):
        assert np.array_equal(before, pixels(after))


@pytest.mark.needs_latex
@pytest.mark.parametrize(
    ("formula", "reason"),
    [
        (r"a \nosuch b", r"Undefined control sequence\. \\nosuch"),
        (r"\begin{nosuch} a \end{nosuch}", r"LaTeX Error: Environment nosuch undefined\."),
        (r"x^2^3", r"Double superscript\."),
        (r"\frac{a}", "."),
        (r"{ a", "."),
        (r"a }", r"Extra }, or forgotten \$\."),
        (r"\left( a", "."),
        ("x^", "."),
        (r"\begin{array}{c} a", "."),
        (r"\text{", "."),
        (r"\ %", "shows nothing"),
        ("", "shows nothing"),
        (r"\rule{15000pt}{15000pt}", "too large"),
        (r"x \hspace{-500pt} y", "sticks out"),
        (r"\end{document}", "."),
        (r"\iffalse", "."),
        (r"\font\absent=absent \absent a", "absent"),
    ],
)
def test_a_bad_formula_is_listed_with_a_reason_and_its_neighbours_come_out(formula, reason):
    first, bad, last = draw(NEIGHBOURS[0], formula, NEIGHBOURS[1])
    assert bad.image is None
    assert re.search(reason, bad.error)
    alone = draw(NEIGHBOURS[0], NEIGHBOURS[1])
    assert np.array_equal(pixels(first), pixels(alone[0]))
    assert np.array_equal(pixels(last), pixels(alone[1]))


HOSTILE = [
    r"\gdef\alpha{x} \gdef\frac#1#2{y}",
    r"\catcode`\\=12 a",
    r"\global\hsize=1pt a",
    r"\egroup \hsize=1pt \bgroup a",
    r"$$}\hsize=1pt\def\alpha{x}{$$",
    r"\end{displaymath}\end{document}",
    r"\csname @@end\endcsname",
    r"^^5cgdef^^5calpha{x}",
    r"\setcounter{page}{7}\shipout\hbox{x}\shipout\hbox{y}",
    r"\message{^^Jim2latex-formula 0^^J! Forged.^^J}",
    r"\pdfdest name{0} fit a",
    r"\batchmode a",
    r"\errorstopmode \nosuch",
    r"\endformula \beginformula{0} z",
    r"\global\everydisplay{\kern 9pt}",
    r"\fontdimen6\textfont2=40pt a",
]


@pytest.mark.needs_latex
def test_hostile_formulas_harm_nobody():
    harmless = [pixels(rendered) for rendered in draw(*NEIGHBOURS)]
    formulas = [*chain.from_iterable(zip(HOSTILE, cycle(NEIGHBOURS))), *NEIGHBOURS]
    rendered = draw(*formulas)
    assert [one.index for one in rendered] == list(range(len(formulas)))
    assert [one.formula for one in rendered] == formulas
    for one in rendered:
        assert (one.image is None) == (one.error is not None)
        if one.formula in NEIGHBOURS:
            assert np.array_equal(pixels(one), harmless[NEIGHBOURS.index(one.formula)])


@pytest.mark.needs_latex
@pytest.mark.parametrize("loop", [r"\loop\iftrue\repeat", r"\def\x{\x}\x"])
def test_a_formula_that_loops_for_ever_is_stopped_and_its_neighbours_come_out(loop):
    rendered = draw(NEIGHBOURS[0], loop, NEIGHBOURS[1])
    assert [one.error for one in rendered] == [None, NO_END, None]


@pytest.mark.needs_latex
def test_no_formula_reads_a_file_outside_its_folder(tmp_path):
    secret = tmp_path / "secret.tex"
    secret.write_text("SECRET")
    reads = [
        rf"\input{{{secret}}}",
        rf"\input {secret} ",
        r"\input{../../../../../../etc/passwd}",
        r"\input{/etc/passwd}",
        rf"\pdfximage{{{secret}}}\pdfrefximage\pdflastximage",
    ]
    for rendered in draw(*reads):
        assert rendered.error is not None
    probe = r"\newread\file \openin\file={}\relax \ifeof\file A\else B\fi"
    outside, inside, letter = draw(probe.format(secret), probe.format("formulas.tex"), "A")
    assert np.array_equal(pixels(outside), pixels(letter))
    assert not np.array_equal(pixels(inside), pixels(letter))


@pytest.mark.needs_latex
def test_no_formula_writes_a_file_or_runs_a_command(tmp_path):
    evil = tmp_path / "evil.txt"
    draw(
        rf"a \immediate\openout15={evil} \immediate\write15{{x}}",
        rf"a \immediate\write18{{touch {evil}}}",
        rf"a \input{{|touch {evil}}}",
    )
    assert not evil.exists()
