"""Bring tokens into normal form: one pass of recursive descent that writes while it reads."""

from im2latex.latex.commands import ACCENTS, ARGUMENTS, FUNCTIONS, LINES
from im2latex.latex.constructs import (
    read_accent,
    read_command,
    read_function,
    read_left,
    read_line,
    read_operator,
    read_root,
    read_text,
)
from im2latex.latex.cursor import END, Cursor, Reader
from im2latex.latex.environments import read_environment
from im2latex.latex.expressions import read_expression, read_group, read_scripts
from im2latex.latex.tokens import TEXT_COMMANDS

_READERS: dict[str, Reader] = {
    "{": read_group,
    "'": read_scripts,  # a prime without a base
    r"\begin": read_environment,
    r"\left": read_left,
    r"\operatorname": read_operator,
    r"\sqrt": read_root,
    **dict.fromkeys(ACCENTS, read_accent),
    **dict.fromkeys(ARGUMENTS, read_command),
    **dict.fromkeys(FUNCTIONS, read_function),
    **dict.fromkeys(LINES, read_line),
    **dict.fromkeys(TEXT_COMMANDS, read_text),
}


def normalize(tokens: list[str]) -> list[str]:
    """Return the normal form of a formula's tokens; FormulaError where they are no formula."""
    cursor = Cursor(tokens, _READERS)
    read_expression(cursor)
    if cursor.tokens[cursor.position] != END:
        raise cursor.refusal("what began before to end first")
    return cursor.written
