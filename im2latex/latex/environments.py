r"""Read environments: from `\begin` to its `\end`."""

from im2latex.errors import FormulaError
from im2latex.latex.arrays import Row, column_letters, write_rows
from im2latex.latex.commands import ENVIRONMENTS, WITH_COLUMNS
from im2latex.latex.cursor import END, Cursor
from im2latex.latex.expressions import read_content, read_expression

_UNITS = frozenset({"pt", "em", "ex", "mm", "cm", "in"})
_OPTIONS = frozenset({"[t]", "[b]", "[c]", "[h]"})
_LONGEST_GAP = 12  # tokens, as in [-0.25em]


def read_environment(cursor: Cursor, token: str) -> None:
    r"""Read an environment; matrices with delimiters become `matrix` in `\left` and `\right`."""
    name = _read_name(cursor, token)
    if name not in ENVIRONMENTS:
        raise FormulaError(f"got environment {name[:20]}, want one of {', '.join(sorted(ENVIRONMENTS))}")
    style, opening, closing = ENVIRONMENTS[name]
    start = len(cursor.written)
    _read_option(cursor)
    letters = read_content(cursor) if style in WITH_COLUMNS else []
    rows = _read_rows(cursor, is_aligned=style == "aligned")
    if _read_name(cursor, r"\end") != name:
        raise FormulaError(f"\\begin{{{name}}} has no \\end{{{name}}}")
    if opening:
        cursor.written.append(rf"\left{opening}")
    cursor.written.append(rf"\begin{{{style}}}")
    if style in WITH_COLUMNS:
        cursor.written += ("{", *column_letters(letters, max(map(len, rows))), "}")
    cursor.written += write_rows(rows, is_aligned=style == "aligned")
    cursor.written.append(rf"\end{{{style}}}")
    if closing:
        cursor.written.append(rf"\right{closing}")
    if style == "cases":
        cursor.cases = (start, len(cursor.written))


def _read_name(cursor: Cursor, command: str) -> str:
    """Read a command and the name in the braces after it."""
    cursor.expect(command)
    cursor.expect("{")
    start = cursor.position
    while cursor.tokens[cursor.position] not in {"}", END}:
        cursor.position += 1
    cursor.expect("}")
    return "".join(cursor.tokens[start : cursor.position - 1])


def _read_option(cursor: Cursor) -> None:
    """Leave out the vertical position of an environment, as in `[t]`."""
    if "".join(cursor.tokens[cursor.position : cursor.position + 3]) in _OPTIONS:
        cursor.position += 3


def _read_rows(cursor: Cursor, is_aligned: bool) -> list[Row]:
    """Read the cells up to the end of the environment, which stays ahead."""
    rows: list[Row] = [[]]
    while True:
        if is_aligned and len(rows[-1]) % 2 and cursor.tokens[cursor.position] in {"^", "_", "'"}:
            cursor.tokens[cursor.position : cursor.position] = ["{", "}"]  # a base, as TeX gives it one
        start = len(cursor.written)
        read_expression(cursor)
        rows[-1].append(cursor.cut(start))
        closer = cursor.tokens[cursor.position]
        if closer == r"\end":
            return rows
        if closer not in {"&", r"\\", r"\cr"}:
            raise cursor.refusal(r"\end")
        cursor.position += 1
        if closer != "&":
            _read_gap(cursor)
            rows.append([])


def _read_gap(cursor: Cursor) -> None:
    r"""Leave out the extra height of a row, as in `\\[2pt]`."""
    tokens = cursor.tokens[cursor.position : cursor.position + _LONGEST_GAP]
    if tokens[0] == "[" and "]" in tokens:
        end = tokens.index("]")
        if "".join(tokens[end - 2 : end]) in _UNITS:
            cursor.position += end + 1
