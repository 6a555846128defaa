"""Tests of closing up tokens where TeX does not ignore blanks."""

import pytest

from im2latex.rendering.spacing import close_up


@pytest.mark.parametrize(
    ("formula", "closed"),
    [
        (r"a \hspace { 1 . 5 c m } b", r"a \hspace {1.5cm } b"),
        (r"a \hspace { - . 1 5 e m } b", r"a \hspace {-.15em } b"),
        (r"a \hspace { . 3 t r u e c m } b", r"a \hspace {.3truecm } b"),
        (r"a \hskip 1 . 0 c m b", r"a \hskip 1.0cm b"),
        (r"a \\ [ 6 p t ] b", r"a \\ [6pt ] b"),
        (r"x \textrm { a n d } y", r"x \textrm {and} y"),
    ],
)
def test_lengths_and_words_written_as_tokens_are_closed_up(formula, closed):
    assert close_up(formula) == closed


@pytest.mark.parametrize(
    "formula",
    [
        r"\text{if } a b c",
        r"\text{ a b } x+y",  # not tokens: these blanks were meant
        r"\hspace{1cm} a b",
        r"a \\ [ x , y ] c d",  # a bracket in a row of an array, not a length
        r"\kern 3 a b c",
    ],
)
def test_everything_else_stays_as_it_was(formula):
    assert close_up(formula) == formula
