"""Turn tokens of the normal form into LaTeX as a person writes it."""

import re
from collections.abc import Sequence
from itertools import accumulate

from im2latex.latex.commands import STYLES, SWITCHES
from im2latex.latex.layout import drop_layout

_ONE_COLUMN = frozenset(rf"\begin{{array}} {{ {column} }}" for column in "lcr")
_SEVERAL_CELLS = frozenset({"&", r"\\", r"\hline", r"\cline"})
_LINES = re.compile(r"\\(?:overline|underline)$")
_WITHOUT_BASE = frozenset({"", "{", "[", "&", r"\\", r"\hline", *STYLES, *SWITCHES})


def to_latex(tokens: Sequence[str]) -> str:
    r"""Return readable LaTeX: `x_{1}^{2}`, `\ln x`, `f'`, the cells of a matrix without braces.

    It draws the same picture as the tokens, and `canonicalize` reads the same tokens from it. Tokens that are
    no formula are joined all the same.
    """
    return _join(_short_primes(drop_layout(list(tokens))))


def without_lone_array(tokens: Sequence[str]) -> list[str]:
    r"""What stands in a formula that is nothing but an array of one cell: nobody writes `x` so; else all tokens."""
    is_array = " ".join(tokens[:4]) in _ONE_COLUMN and tokens[-1] == r"\end{array}"
    cell = list(tokens[4:-2] if tokens[-2:-1] == [r"\\"] else tokens[4:-1])
    if not is_array or any(token in _SEVERAL_CELLS or token.startswith(r"\begin") for token in cell):
        return list(tokens)
    depths = list(accumulate((token == "{") - (token == "}") for token in cell))
    return cell[1:-1] if 0 in depths and depths.index(0) == len(cell) - 1 > 0 else cell


def _short_primes(tokens: list[str]) -> list[str]:
    r"""Write `^ { \prime }` as `'` where it has a base."""
    short: list[str] = []
    position = 0
    while position < len(tokens):
        end = position + 2
        if tokens[position:end] == ["^", "{"] and _is_base(short[-1] if short else ""):
            while end < len(tokens) and tokens[end] == r"\prime":
                end += 1
            primes = end - position - 2
            if primes and end < len(tokens) and tokens[end] == "}":
                short += ["'"] * primes
                position = end + 1
                continue
        short.append(tokens[position])
        position += 1
    return short


def _is_base(token: str) -> bool:
    return token not in _WITHOUT_BASE and not token.startswith((r"\left", r"\begin"))


def _join(tokens: list[str]) -> str:
    """Join tokens with the few spaces without which they would be read as others."""
    pieces: list[str] = []
    before = ""
    for token in tokens:
        ends_word = before[-1:].isalpha() and before[0] == "\\"
        if (ends_word and token[:1].isalpha()) or before == "\\" or before[-1:] == token[:1] == "-":
            pieces.append(" ")
        pieces.append(token)
        before = token
    return "".join(pieces) + " " * (before == "\\")
