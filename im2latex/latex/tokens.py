"""Split a formula into TeX's own tokens."""

import re

TEXT_COMMANDS = frozenset({r"\text", r"\mbox", r"\hbox"})
"""Commands whose argument is running text: there, and only there, a space is seen (as `~`)."""

_MATH = re.compile(r"\\(?:[a-zA-Z]+|[^\sa-zA-Z])?|---?|\S")
_TEXT = re.compile(r"\\(?:[a-zA-Z]+|[^a-zA-Z])?|---?|\S|\s+")
_HAS_TEXT = re.compile(r"\\(?:text|mbox|hbox)(?![a-zA-Z])")


def tokenize(formula: str) -> list[str]:
    r"""Return the tokens of a formula: commands, characters, `--`; never one that holds white space.

    A control space is the token `\`; white space is dropped, but written `~` inside `\text` and its like.
    """
    if _HAS_TEXT.search(formula):
        return _tokens_with_text(_TEXT.findall(formula))
    return _MATH.findall(formula)


def _tokens_with_text(pieces: list[str]) -> list[str]:
    """Drop the white space of the mathematics; write that of text arguments as `~`."""
    tokens: list[str] = []
    depth = 0  # of braces inside a text argument; 0: mathematics
    text_follows = False
    for piece in pieces:
        if piece.isspace():
            if depth:
                tokens.append("~")
            continue
        tokens.append(piece.rstrip())
        if depth:
            depth += (piece == "{") - (piece == "}")
        elif text_follows and piece == "{":
            depth = 1
        text_follows = piece in TEXT_COMMANDS
    return tokens
