"""Clean the text of a formula before it is split: comments, labels, dollars, old font switches."""

import re

from im2latex.errors import FormulaError

_COMMENT = re.compile(r"(?<!\\)((?:\\\\)*)%.*")
_LABEL = re.compile(r"\\label\s*\{.*?\}")
_SPACES = re.compile(r"(?<!\\)(?:\\[~>]|\$)")
_HSKIP = re.compile(r"\\hskip\s*(-?[\d.\s]*?)\s*(c\s*m|i\s*n|p\s*t|m\s*m|e\s*m)(?![a-zA-Z])")
_OPEN_ROMAN = re.compile(r"(?<!\\)\{ ?\\rm(?![a-zA-Z])")
_HAS_ROWS = re.compile(r"\\(?:begin|substack)(?![a-zA-Z])")
_LOST_INDEX = "[object Object]"  # what the official normal form has in place of the index of a root


def clean(formula: str) -> str:
    r"""Return the formula without what is not seen, and with `{\rm x}` as `\mathrm{ x}`.

    Where nothing has rows, `\\` becomes the space `\,`. FormulaError: a character that is not ASCII.
    """
    formula = formula.strip()
    if not (formula.isascii() and formula.isprintable()):
        _refuse_strangers(formula)
    if "%" in formula:
        formula = _COMMENT.sub(r"\1", formula.lstrip("%"))
    if "$" in formula or r"\~" in formula or r"\>" in formula:
        formula = _SPACES.sub(" ", formula)
    if r"\label" in formula:
        formula = _LABEL.sub("", formula)
    if r"\hskip" in formula:
        formula = _HSKIP.sub(r"\\hspace{\1\2}", formula)
    if r"\\" in formula and not _HAS_ROWS.search(formula):
        formula = formula.replace(r"\\", r"\,")
    if r"\rm" in formula:
        formula = _OPEN_ROMAN.sub(r"\\mathrm{", formula).replace(r"\rm{", r"\mathrm{")
    return formula.replace(_LOST_INDEX, "")


def _refuse_strangers(formula: str) -> None:
    for place, character in enumerate(formula):
        if not character.isspace() and not (character.isascii() and character.isprintable()):
            raise FormulaError(f"got U+{ord(character):04X} as character {place + 1}, want ASCII")
