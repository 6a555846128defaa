"""Tests of splitting a formula into tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from im2latex.latex import tokenize


@pytest.mark.parametrize(
    ("formula", "tokens"),
    [
        ("", []),
        (r"x_1+\alpha y", ["x", "_", "1", "+", r"\alpha", "y"]),
        (r"\{a\,b\}", [r"\{", "a", r"\,", "b", r"\}"]),
        (r"a\ b", ["a", "\\", "b"]),
        ("a\\", ["a", "\\"]),
        ("h_{--}", ["h", "_", "{", "--", "}"]),
        (r"\operatorname*{max}", [r"\operatorname", "*", "{", "m", "a", "x", "}"]),
    ],
)
def test_tokens_are_those_of_tex(formula, tokens):
    assert tokenize(formula) == tokens


@pytest.mark.parametrize(
    ("formula", "tokens"),
    [
        (r"a \text{if  b} c", ["a", r"\text", "{", "i", "f", "~", "b", "}", "c"]),
        (r"\mbox {a{ b}c } d e", [r"\mbox", "{", "a", "{", "~", "b", "}", "c", "~", "}", "d", "e"]),
        (r"\text{a\ b} c", [r"\text", "{", "a", "\\", "b", "}", "c"]),
        (r"\text a b", [r"\text", "a", "b"]),
        (r"\textbf{a b}", [r"\textbf", "{", "a", "b", "}"]),
    ],
)
def test_a_space_is_seen_in_running_text_only(formula, tokens):
    assert tokenize(formula) == tokens


@given(st.text())
def test_no_token_is_empty_or_holds_white_space(formula):
    assert all(token and not any(map(str.isspace, token)) for token in tokenize(formula))
