"""Read expressions, that is rows of atoms with scripts, and the arguments of commands."""

from im2latex.latex.commands import INFIX, INTEGRALS, STYLES, SWITCHES
from im2latex.latex.cursor import END, Cursor
from im2latex.latex.groups import grouped

_CLOSERS = frozenset({END, "}", "&", r"\\", r"\cr", r"\right", r"\end"})
_LIMITS = frozenset({r"\limits", r"\nolimits"})
_SCRIPTS = frozenset({"^", "_", "'", *_LIMITS})
_NO_ATOMS = frozenset({*INFIX, *STYLES, *SWITCHES})


class _Fraction:
    r"""The fraction that an infix command such as `\over` makes of an expression, if there is one."""

    def __init__(self, start: int) -> None:
        self.start = start  # of the numerator
        self.middle = 0
        self.command = ""

    def write(self, cursor: Cursor) -> None:
        halves = cursor.cut(self.start)
        middle = self.middle - self.start
        cursor.written += (self.command, *grouped(halves[:middle]), *grouped(halves[middle:]))


def read_expression(cursor: Cursor, closer: str = "}") -> None:
    """Read atoms up to the token that ends the expression, which stays ahead."""
    cursor.enter()
    tokens, written = cursor.tokens, cursor.written
    fraction = _Fraction(len(written))
    while (token := tokens[cursor.position]) not in _CLOSERS and token != closer:
        if token in _NO_ATOMS:
            _read_switch(cursor, token, fraction, closer)
            continue
        reader = cursor.readers.get(token)
        if reader is None:
            written.append(token)
            cursor.position += 1
        else:
            reader(cursor, token)
        token = tokens[cursor.position]
        if token in _SCRIPTS:
            read_scripts(cursor, token)
    if fraction.command:
        fraction.write(cursor)
    cursor.leave()


def _read_switch(cursor: Cursor, token: str, fraction: _Fraction, closer: str) -> None:
    """Read a command that takes the rest of the expression: no script belongs to it."""
    if token in INFIX:
        if fraction.command:
            raise cursor.refusal(f"one {token} in a group")
        fraction.command, fraction.middle = INFIX[token], len(cursor.written)
        cursor.position += 1
        return
    cursor.position += 1
    if token == r"\rm":
        cursor.written += (r"\mathrm", "{")
        read_expression(cursor, closer)
        cursor.written.append("}")
        return
    cursor.written.append(token)
    if token in SWITCHES and not fraction.command:
        fraction.start = len(cursor.written)


def read_scripts(cursor: Cursor, token: str) -> None:
    """Read the scripts of an atom and write the lower one first; primes belong to the upper one."""
    base = cursor.written[-1] if cursor.written else ""
    limits = ""
    primes: list[str] = []
    scripts: dict[str, list[str]] = {}
    while token in _SCRIPTS:
        if token in scripts:
            raise cursor.refusal(f"one {token} for an atom")
        cursor.position += 1
        if token == "'":
            primes.append(r"\prime")
        elif token in _LIMITS:
            limits = token
        else:
            scripts[token] = read_content(cursor)
        token = cursor.tokens[cursor.position]
    if primes:
        scripts["^"] = primes + scripts.get("^", [])
    if scripts and limits and (limits == r"\limits") == (base in INTEGRALS):
        cursor.written.append(limits)
    for token in sorted(scripts, reverse=True):  # "_" before "^"
        cursor.written += (token, "{", *scripts[token], "}")


def read_content(cursor: Cursor) -> list[str]:
    """Read an argument and return what it holds, without braces, instead of writing it."""
    start = len(cursor.written)
    is_braced = cursor.tokens[cursor.position] == "{"
    read_argument(cursor)
    content = cursor.cut(start)
    return content[1:-1] if is_braced else content


def read_argument(cursor: Cursor) -> None:
    """Read one argument as it stands: a group, or a command with its own arguments, or one token."""
    cursor.enter()
    token = cursor.tokens[cursor.position]
    if token in _CLOSERS or token in _SCRIPTS or token in INFIX:
        raise cursor.refusal("an argument")
    if token in cursor.readers:
        cursor.readers[token](cursor, token)
    else:
        cursor.position += 1
        if token == r"\rm":
            cursor.written += (r"\mathrm", "{", *read_content(cursor), "}")
        else:
            cursor.written.append(token)
            if token in _NO_ATOMS:
                read_argument(cursor)
    cursor.leave()


def read_group(cursor: Cursor, token: str) -> None:
    r"""Read what stands in braces; rows in it, as in `\substack`, stay."""
    cursor.position += 1
    cursor.written.append(token)
    read_expression(cursor)
    while cursor.tokens[cursor.position] == r"\\":
        cursor.written.append(r"\\")
        cursor.position += 1
        read_expression(cursor)
    cursor.expect("}")
    cursor.written.append("}")
