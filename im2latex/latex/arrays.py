"""Write the columns and rows of an array, matrix or alignment in normal form."""

import re

from im2latex.latex.groups import is_group

Row = list[list[str]]
"""The cells of one row, each a list of tokens."""

_RULE = r"\hline"
_EMPTY_GROUP = ["{", "}"]
_REPEATED = re.compile(r"\*\{(\d{1,3})\}\{([^{}]*)\}")
_HIDDEN = re.compile(r"\\[a-zA-Z]+|[^lcr|{}]")


def column_letters(argument: list[str], width: int) -> list[str]:
    """Return the letters and bars of a column argument, without spacing such as `@{}`.

    `*{20}{c}` becomes as many letters as the widest row, `width` cells, can use.
    """
    text = _REPEATED.sub(lambda match: match[2] * min(int(match[1]), width), "".join(argument))
    letters: list[str] = []
    depth = 0
    for character in _HIDDEN.sub("", text):
        depth += (character == "{") - (character == "}")
        if depth == 0 and character != "}":
            letters.append(character)
    return letters


def write_rows(rows: list[Row], is_aligned: bool) -> list[str]:
    r"""Return the rows as `{ a } & { b } \\`, empty rows left out.

    In `aligned`, every second cell begins with `{ }`, which gives the relation after it its space. Rows that
    are in this form already are not put in braces again.
    """
    filled = [row for row in rows if row != [[]]]
    rules = [row[0][:1] == [_RULE] for row in filled]
    cells = [[row[0][rule:], *row[1:]] for row, rule in zip(filled, rules, strict=True)]
    if rows[-1] != [[]] or not all(_is_normal(row, is_aligned) for row in cells):
        cells = [_normal(row, is_aligned) for row in cells]
    written: list[str] = []
    for row, rule in zip(cells, rules, strict=True):
        written += [_RULE] * rule
        for cell in row:
            written += (*cell, "&")
        written[-1] = r"\\"
    return written


def _is_normal(row: Row, is_aligned: bool) -> bool:
    if is_aligned and any(cell[1:3] != _EMPTY_GROUP for cell in row[1::2]):
        return False
    return all(is_group(cell) for cell in row)


def _normal(row: Row, is_aligned: bool) -> Row:
    return [["{", *_EMPTY_GROUP * (is_aligned and number % 2), *cell, "}"] for number, cell in enumerate(row)]
