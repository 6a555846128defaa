r"""Read commands with arguments, function names, and `\left` with its `\right`."""

from im2latex.latex.commands import ALIASES, ARGUMENTS, FUNCTION_OF, FUNCTIONS
from im2latex.latex.cursor import END, Cursor
from im2latex.latex.expressions import read_content, read_expression
from im2latex.latex.groups import grouped


def read_command(cursor: Cursor, token: str) -> None:
    """Read a command whose arguments are copied as they stand."""
    cursor.position += 1
    cursor.written.append(ALIASES.get(token, token))
    for _ in range(ARGUMENTS[token]):
        _copy_argument(cursor)


def _copy_argument(cursor: Cursor) -> None:
    """Read an argument as it stands, but put braces around a command, which TeX would take alone."""
    ahead = cursor.tokens[cursor.position]
    content = read_content(cursor)
    if ahead in cursor.readers or len(content) != 1:
        content = ["{", *content, "}"]
    cursor.written += content


def read_accent(cursor: Cursor, token: str) -> None:
    """Read a command whose argument is put in braces."""
    cursor.position += 1
    cursor.written += (token, "{", *read_content(cursor), "}")


def read_line(cursor: Cursor, token: str) -> None:
    """Read a line over or under its argument, which is put in two pairs of braces."""
    cursor.position += 1
    cursor.written += (token, "{", *grouped(read_content(cursor)), "}")


def read_text(cursor: Cursor, token: str) -> None:
    r"""Read running text, whatever its command, and write it as `\mathrm`."""
    cursor.expect(token)
    cursor.written += (r"\mathrm", "{", *read_content(cursor), "}")


def read_root(cursor: Cursor, token: str) -> None:
    """Read a root; an empty index is left out."""
    cursor.position += 1
    cursor.written.append(token)
    if cursor.tokens[cursor.position] == "[":
        cursor.position += 1
        start = len(cursor.written)
        read_expression(cursor, closer="]")
        cursor.expect("]")
        index = cursor.cut(start)
        if index:
            cursor.written += ("[", *index, "]")
    _copy_argument(cursor)


def read_function(cursor: Cursor, token: str) -> None:
    r"""Read a function; `\limits` and `\nolimits` choose its kind of operator."""
    cursor.position += 1
    operator, *name = FUNCTIONS[token]
    while (limits := cursor.tokens[cursor.position]) in {r"\limits", r"\nolimits"}:
        operator = r"\operatorname*" if limits == r"\limits" else r"\operatorname"
        cursor.position += 1
    _write_operator(cursor, [operator, *name])


def read_operator(cursor: Cursor, token: str) -> None:
    """Read an operator whose name is spelled out; the names of functions become one token."""
    cursor.position += 1
    if cursor.tokens[cursor.position] == "*":
        cursor.position += 1
        token += "*"
    start = len(cursor.written)
    _copy_argument(cursor)
    _write_operator(cursor, [token, *cursor.cut(start)])


def _write_operator(cursor: Cursor, tokens: list[str]) -> None:
    function = FUNCTION_OF.get(tuple(tokens))
    cursor.written += [function] if function else tokens


def read_left(cursor: Cursor, token: str) -> None:
    r"""Read from `\left` to its `\right`; the brace that `cases` draw themselves is written once."""
    start = len(cursor.written)
    opening = _read_delimiter(cursor, token)
    cursor.written.append(opening)
    read_expression(cursor)
    closing = _read_delimiter(cursor, r"\right")
    if (opening, closing) == (r"\left\{", r"\right.") and cursor.cases == (start + 1, len(cursor.written)):
        del cursor.written[start]
        cursor.cases = (start, len(cursor.written))
    else:
        cursor.written.append(closing)


def _read_delimiter(cursor: Cursor, command: str) -> str:
    cursor.expect(command)
    delimiter = cursor.tokens[cursor.position]
    if delimiter in {"{", "}", END}:
        raise cursor.refusal("a delimiter")
    cursor.position += 1
    return command + delimiter
