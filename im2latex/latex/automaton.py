r"""The rules of the grammar: a machine with a stack, whose states say what has been written and what may follow.

An expression is read in a *frame*, that is between what opened and what will close it, at a *place*, which says what
stands before: nothing, a base, a base with one script or with both. TeX takes a group that holds nothing but an accent
for that accent (section 1186 of *TeX: The Program*), so that `{ \hat { x } ^ { 2 } } ^ { 2 }` is a double superscript:
places called `accent` remember it, and the brace that closes such a group returns to a place one to three further on.
The frame `half` is an argument that macros may put beside an infix command, so that it cannot hold another one.
"""

from collections.abc import Callable
from typing import NamedTuple

from im2latex.latex.symbols import SINGLES

END, START = "end", "start"
MAX_COLUMNS = 12
"""Columns of an `array`: 9 of 170,212 training formulas have more."""

FRAMES = ("formula", "plain group", "group", "half", "left", "index", "substack")
PLACES = (
    "new", "base", "base again", "done", "below",  # in this order, and
    "first", "accent", "accent done", "accent below",  # in this one too: see Move.shift
    "new above", "integral", "sum", "operator", "limits",
)  # fmt: skip
_SHIFTS = {"accent": 1, "accent done": 2, "accent below": 3}
_BASES = {"base", "base again", "first", "integral", "sum", "operator", "limits"}

CHARACTERS = frozenset({"character", "digit", "delimiter character", *(SINGLES - frozenset("{}^_&[]"))})
"""Classes of what may stand in mathematics and in text, and for an argument without braces."""
BARE = CHARACTERS | {"letter"}
"""Classes of what may be an argument without braces: what TeX knows as a single sign."""
DELIMITERS = frozenset({"delimiter", "delimiter character", "|", ".", "[", "]"})


class Move(NamedTuple):
    """What writing a token does: go to `state`, after putting `pushed` on the stack.

    With no state it returns to the one on top of the stack, or to the one `shift` places after it.
    """

    state: str | None
    pushed: str | None = None
    shift: int = 0


State = str
Moves = dict[str, Move]
"""The moves of one state, by the class of the token."""
RETURN = Move(None)


def at(frame: str, place: str, has_infix: bool = False) -> State:
    """The state of an expression."""
    return f"{frame}, {place}, infix" if has_infix else f"{frame}, {place}"


def build_automaton() -> dict[State, Moves]:
    """Every state with its moves, in an order that keeps the places of a frame together."""
    states: dict[State, Moves] = {END: {"pad": Move(END)}}
    for frame in FRAMES:
        for has_infix in (False, True):
            for place in PLACES:
                states[at(frame, place, has_infix)] = _expression(frame, place, has_infix)
    states[START] = {name: move for name, move in states[at("formula", "new")].items() if name != "end"}
    states["substack row"] = {n: m for n, m in states[at("substack", "new")].items() if n not in {"[", "*"}}
    states.update(_arguments())
    states.update(_lengths())
    states.update(_arrays())
    return states


def _expression(frame: str, place: str, has_infix: bool) -> Moves:
    def here(name: str) -> State:
        return at(frame, name, has_infix)

    scripts = _scripts(place, here)
    if place == "limits":
        return scripts
    is_first = frame == "plain group" and place == "new" and not has_infix
    base, accent = (here("first"), here("accent")) if is_first else (here("base"), here("base"))
    moves = dict.fromkeys([*BARE, "symbol", "delimiter", "space", "[", "]"], Move(here("base")))
    moves |= {
        "integral": Move(here("integral")),
        "sum": Move(here("sum")),
        "{": Move(at("plain group", "new"), base),
        "font": Move("font argument", base),
        "accent": Move("group argument", accent),
        "wide accent": Move("argument", accent),
        "style": Move(here("new")),
        "switch": Move(here("new" if place == "new" else "done")),
    }
    moves |= {name: Move(state, here("base")) for name, state in _OPENERS.items()}
    moves["mathop"] = Move("argument", here("operator"))
    if not has_infix and frame != "half":
        moves["infix"] = Move(at(frame, "new", has_infix=True))
    if place in {"integral", "operator"}:
        moves["limits"] = Move(here("limits"))
    if place in {"sum", "operator"}:
        moves["nolimits"] = Move(here("limits"))
    moves |= scripts | _closers(frame, place, here)
    return {name: move for name, move in moves.items() if frame != "index" or name not in _NOT_IN_INDEX}


_OPENERS = {
    "one argument": "argument",
    "one group": "group argument",
    "two groups": "two groups",
    "two arguments": "two arguments",
    "text": "text argument",
    "option": "option or argument",
    "substack": "substack argument",
    "big": "delimiter",
    "left": at("left", "new"),
    "space of a length": "length",
    "begin array": "columns",
    **{f"begin {name}": f"{name} row" for name in ("matrix", "smallmatrix", "aligned")},
    "begin gathered": "gathered row of 1",
    "begin cases": "cases row of 2",
}
"""Where what follows a command is read, after which there is a base."""


_NOT_IN_INDEX = frozenset({"left", "big", "option"})
"""TeX ends the index of a root at the first `]`, and these may bring one."""


def _scripts(place: str, here: Callable[[str], State]) -> Moves:
    r"""The lower script comes first; without a base the upper one may, and may be a single character."""
    above = {"new": "new above", "below": "done", "accent": "accent done", "accent below": "accent done"}
    below = {"new": "below", "new above": "done", "accent": "accent below"}
    argument = "script or character" if place in {"new", "new above"} else "script"
    moves: Moves = {}
    for token, after, usual in (("^", above, "done"), ("_", below, "below")):
        if place in after or place in _BASES:
            moves[token] = Move(argument, here(after.get(place, usual)))
    return moves


def _closers(frame: str, place: str, here: Callable[[str], State]) -> Moves:
    """What ends the frame, and what may stand only there."""
    match frame:
        case "formula":
            return {"end": Move(END)}
        case "left":
            return {"right": RETURN, "middle": Move("middle", here("new"))}
        case "index":
            return {"]": RETURN}
        case "substack":
            return {"}": RETURN, "row": Move("substack row")}
        case _:
            return {"}": Move(None, shift=_SHIFTS.get(place, 0))}


def _arguments() -> dict[State, Moves]:
    half, script = Move(at("half", "new")), Move(at("group", "new"))
    text = {**dict.fromkeys([*CHARACTERS, "[", "]", "space", "switch"], Move("text text")), "}": RETURN}
    return {
        "argument": {**dict.fromkeys(BARE, RETURN), "{": half},
        "two arguments": {**dict.fromkeys(BARE, Move("argument")), "{": Move(at("half", "new"), "argument")},
        "group argument": {"{": half},
        "two groups": {"{": Move(at("half", "new"), "group argument")},
        "script": {"{": script},
        "script or character": {**dict.fromkeys(CHARACTERS, RETURN), "{": script},
        "font argument": {**dict.fromkeys(BARE, RETURN), "{": Move(at("plain group", "new"))},
        "option or argument": {**dict.fromkeys(BARE, RETURN), "{": half, "[": Move(at("index", "new"), "argument")},
        "substack argument": {"{": Move(at("substack", "new"))},
        "text argument": {**dict.fromkeys(CHARACTERS, RETURN), "{": Move("text text")},
        "text text": {**text, "{": Move("text text", "text text"), "text": Move("text argument", "text text")},
        "delimiter": {**dict.fromkeys(DELIMITERS, RETURN), "{": Move("delimiter in braces")},
        "delimiter in braces": dict.fromkeys(DELIMITERS, Move("brace")),
        "middle": dict.fromkeys(DELIMITERS, RETURN),
        "brace": {"}": RETURN},
    }


def _lengths() -> dict[State, Moves]:
    """A length in braces, of at most two digits before the point: TeX knows none above 575 cm."""
    units = {letter: Move(f"length, {letter}") for letter in "cmpei"}
    ends = {"c": "m", "m": "m", "p": "t", "e": "mx", "i": "n"}
    return {
        "length": {"{": Move("length, sign")},
        "length, sign": {"-": Move("length, 0"), "digit": Move("length, 1"), ".": Move("length, point")},
        "length, 0": {"digit": Move("length, 1"), ".": Move("length, point")},
        "length, 1": {"digit": Move("length, 2"), ".": Move("length, point"), **units},
        "length, 2": {".": Move("length, point"), **units},
        "length, point": {"digit": Move("length, .1")},
        "length, .1": {"digit": Move("length, .2"), **units},
        "length, .2": {"digit": Move("length, .3"), **units},
        "length, .3": units,
        **{f"length, {letter}": dict.fromkeys(end, Move("brace")) for letter, end in ends.items()},
    }


def _arrays() -> dict[State, Moves]:
    states: dict[State, Moves] = {"columns": {"{": Move("columns, 0")}}
    for count in range(MAX_COLUMNS + 1):
        more = {} if count == MAX_COLUMNS else dict.fromkeys("lcr", Move(f"columns, {count + 1}"))
        rows = {"}": Move(f"array row of {count}")} if count else {}
        states[f"columns, {count}"] = {"|": Move(f"columns, {count}"), **more, **rows}
    for count in range(1, MAX_COLUMNS + 1):
        states |= _rows("array", f" of {count}", count)
    states |= _rows("cases", " of 2", 2) | _rows("gathered", " of 1", 1)
    for name in ("matrix", "smallmatrix", "aligned"):
        states |= _rows(name, "", None)
    return states


def _rows(name: str, kind: str, columns: int | None) -> dict[State, Moves]:
    r"""Cells `{ } & { } \\`; with no number of columns there may be any."""
    row = f"{name} row{kind}"
    states: dict[State, Moves] = {}
    for column in range(1, (columns or 1) + 1):
        cell, after = f"{name} cell {column}{kind}", f"{name} after cell {column}{kind}"
        states[cell] = {"{": Move(at("group", "new"), after)}
        states[after] = {"row": Move(row)}
        if columns is None:
            states[after]["&"] = Move(cell)
        elif column < columns:
            states[after]["&"] = Move(f"{name} cell {column + 1}{kind}")
    first = states[f"{name} cell 1{kind}"]
    states[row] = {**first, f"end {name}": RETURN}
    if name in {"array", "matrix"}:
        states[row]["rule"] = Move(f"{name} cell 1{kind}")
    return states
