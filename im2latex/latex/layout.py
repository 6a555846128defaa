"""Leave out what the normal form writes around cells and under lines and a person does not."""

from typing import NamedTuple

from im2latex.latex.commands import ENVIRONMENTS, LINES, WITH_COLUMNS, WITH_OPTION

_STYLES = {rf"\begin{{{style}}}": style for style, _, _ in ENVIRONMENTS.values()}
_SHORT_NAMES = {
    (rf"\left{opening}", style, rf"\right{closing}"): name
    for name, (style, opening, closing) in ENVIRONMENTS.items()
    if opening
}
_EMPTY_GROUP = ["{", "}"]


class _Cell(NamedTuple):
    """The places of a cell's braces."""

    opening: int
    closing: int
    column: int
    has_rule: bool


def drop_layout(tokens: list[str]) -> list[str]:
    r"""Return the tokens without the braces of cells and the last `\\`, with `pmatrix` and its like by name.

    An environment that is not in normal form, or would be read in another way, stays as it is.
    """
    tokens = [*tokens, "", "", ""]
    partners, options = _partners(tokens), _options(tokens)
    needless: set[int] = set()
    for place in range(len(tokens) - 3):
        if tokens[place] in LINES:
            needless.update(_inner_braces(partners, place + 1))
        elif tokens[place] in _STYLES:
            cells = _cells(tokens, partners, place)
            if all(_is_plain(tokens, cell, place in options) for cell in cells):
                needless.update(_cell_braces(tokens, cells, tokens[place] == r"\begin{aligned}"))
            end = cells[-1].closing + 2 if cells else place
            needless.update(_shorten_name(tokens, place, end))
    return [token for place, token in enumerate(tokens) if token and place not in needless]


def _partners(tokens: list[str]) -> dict[int, int]:
    """Return where each brace that is opened and closed is closed."""
    partners: dict[int, int] = {}
    opened: list[int] = []
    for place, token in enumerate(tokens):
        if token == "{":
            opened.append(place)
        elif token == "}" and opened:
            partners[opened.pop()] = place
    return partners


def _options(tokens: list[str]) -> set[int]:
    """Return the places inside of optional arguments."""
    inside: set[int] = set()
    opened: list[int] = []  # how deep in braces each began
    depth = 0
    for place, token in enumerate(tokens):
        depth += (token == "{") - (token == "}")
        if token == "[" and tokens[place - 1] in WITH_OPTION:
            opened.append(depth)
        elif token == "]" and opened[-1:] == [depth]:
            opened.pop()
        if opened:
            inside.add(place)
    return inside


def _inner_braces(partners: dict[int, int], outer: int) -> list[int]:
    """Return the places of the inner pair where there are exactly two around the same."""
    ends = [partners.get(outer + depth, -1) for depth in range(3)]
    has_inner = 0 < ends[1] == ends[0] - 1
    has_third = 0 < ends[2] == ends[1] - 1
    return [outer + 1, ends[1]] if has_inner and not has_third else []


def _cells(tokens: list[str], partners: dict[int, int], begin: int) -> list[_Cell]:
    r"""Return the cells of the environment that begins at a place; none where it is not in normal form."""
    style = _STYLES[tokens[begin]]
    place = begin + 1
    if style in WITH_COLUMNS:
        place = partners.get(place, place) + 1
    cells: list[_Cell] = []
    column = 0
    while tokens[place] != rf"\end{{{style}}}" or column:
        has_rule = tokens[place] == r"\hline" and column == 0
        place += has_rule
        closing = partners.get(place, -1)
        if closing < 0 or tokens[closing + 1] not in {"&", r"\\"}:
            return []
        cells.append(_Cell(place, closing, column, has_rule))
        column = column + 1 if tokens[closing + 1] == "&" else 0
        place = closing + 2
    return cells


def _is_plain(tokens: list[str], cell: _Cell, in_option: bool) -> bool:
    r"""True where the cell is the same one without braces.

    `\\` would take a `[` or `*` for its own, and an optional argument end at a `]`.
    """
    if in_option and "]" in tokens[cell.opening : cell.closing]:
        return False
    if cell.column > 0:
        return True
    first = tokens[cell.opening + 1]
    is_row = first == "}" and tokens[cell.closing + 1] == r"\\"
    return cell.has_rule or not (is_row or first in {"[", "*", r"\hline"})


def _cell_braces(tokens: list[str], cells: list[_Cell], is_aligned: bool) -> list[int]:
    r"""Return the places of the cells' braces, of the empty groups in `aligned`, and of the last `\\`."""
    places = [cells[-1].closing + 1] if cells else []
    for cell in cells:
        places += (cell.opening, cell.closing)
        if is_aligned and cell.column % 2 and tokens[cell.opening + 1 : cell.opening + 3] == _EMPTY_GROUP:
            places += (cell.opening + 1, cell.opening + 2)
    return places


def _shorten_name(tokens: list[str], begin: int, end: int) -> list[int]:
    """Rename the environment to the one that brings its delimiters; return their places."""
    short = _SHORT_NAMES.get((tokens[begin - 1], _STYLES[tokens[begin]], tokens[end + 1]))
    if short is None or begin == end:
        return []
    tokens[begin], tokens[end] = rf"\begin{{{short}}}", rf"\end{{{short}}}"
    return [begin - 1, end + 1]
