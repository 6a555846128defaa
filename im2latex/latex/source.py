"""Clean the text of a formula before it is split: comments, labels, dollars, old font switches."""

import re

from im2latex.errors import FormulaError

_NEEDS_CLEANING = re.compile(r"[%$]|\\(?:[~>]|label|hskip|rm)")
_PARTS = re.compile(
    r"""(?P<nothing> %.* )
      | (?P<space> \\[~>] | \$ | \\label\s*\{.*?\} )
      | (?P<roman> \{\ ?\\rm(?![a-zA-Z]) | \\rm\{ )
      | \\hskip\s* (?P<length> -?[\d.\s]*?\s* (?:c\s*m|i\s*n|p\s*t|m\s*m|e\s*m) )
      | \\.""",
    re.VERBOSE,
)
_HAS_ROWS = re.compile(r"\\(?:begin|substack)(?![a-zA-Z])")
_LOST_INDEX = "[object Object]"  # what the official normal form has in place of the index of a root


def clean(formula: str) -> str:
    r"""Return the formula without what is not seen, with `{\rm x}` as `\mathrm{ x}`, `\hskip` as `\hspace`.

    Where nothing has rows, `\\` becomes the space `\,`. FormulaError: a character that is not ASCII.
    """
    formula = formula.strip().lstrip("%").replace(_LOST_INDEX, "")
    if not (formula.isascii() and formula.isprintable()):
        _refuse_strangers(formula)
    if _NEEDS_CLEANING.search(formula):
        formula = _PARTS.sub(_rewritten, formula)
    if r"\\" in formula and not _HAS_ROWS.search(formula):
        formula = formula.replace(r"\\", r"\,")
    return formula


def _rewritten(part: re.Match[str]) -> str:
    match part.lastgroup:
        case "nothing":
            return ""
        case "space":
            return " "
        case "roman":
            return r"\mathrm{"
        case "length":
            return rf"\hspace{{{part['length']}}}"
        case _:
            return part[0]


def _refuse_strangers(formula: str) -> None:
    for place, character in enumerate(formula):
        if not character.isspace() and not (character.isascii() and character.isprintable()):
            raise FormulaError(f"got U+{ord(character):04X} as character {place + 1}, want ASCII")
