"""Write the rows of an array, matrix or alignment in normal form."""

Row = list[list[str]]
"""The cells of one row, each a list of tokens."""

_HLINE = r"\hline"
_EMPTY_GROUP = ["{", "}"]


def is_group(tokens: list[str]) -> bool:
    """True where the tokens are one pair of braces and what it holds."""
    if len(tokens) < 2 or tokens[0] != "{" or tokens[-1] != "}":
        return False
    depth = 0
    for token in tokens[:-1]:
        depth += (token == "{") - (token == "}")
        if depth == 0:
            return False
    return True


def column_letters(argument: list[str]) -> list[str]:
    """Return the letters and bars of an array's column argument; spacing such as `@{}` is dropped."""
    kept: list[str] = []
    depth = 0
    for token in argument:
        depth += (token == "{") - (token == "}")
        if depth == 0 and token in {"l", "c", "r", "|"}:
            kept.append(token)
    return kept


def write_rows(rows: list[Row], aligned: bool) -> list[str]:
    r"""Return the rows as `{ a } & { b } \\`, empty rows left out.

    In `aligned`, every second cell begins with `{ }`, which gives the relation after it its space. Rows that
    are in this form already are not put in braces again.
    """
    filled = [row for row in rows if row != [[]]]
    rules = [row[0][:1] == [_HLINE] for row in filled]
    cells = [[row[0][rule:], *row[1:]] for row, rule in zip(filled, rules, strict=True)]
    if rows[-1] != [[]] or not all(_is_normal(row, aligned) for row in cells):
        cells = [_normal(row, aligned) for row in cells]
    written: list[str] = []
    for row, rule in zip(cells, rules, strict=True):
        written += [_HLINE] * rule
        for cell in row:
            written += cell
            written.append("&")
        written[-1] = r"\\"
    return written


def _is_normal(row: Row, aligned: bool) -> bool:
    if aligned and any(cell[1:3] != _EMPTY_GROUP for cell in row[1::2]):
        return False
    return all(is_group(cell) for cell in row)


def _normal(row: Row, aligned: bool) -> Row:
    return [
        ["{", *_EMPTY_GROUP * (aligned and number % 2), *cell, "}"] for number, cell in enumerate(row)
    ]
