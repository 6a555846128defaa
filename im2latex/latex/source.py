"""Clean the text of a formula before it is split: comments, labels, dollars, old font switches."""

import re

from im2latex.errors import FormulaError

_COMMENT = re.compile(r"(?<!\\)((?:\\\\)*)%.*")
_LABEL = re.compile(r"\\label\s*\{.*?\}")
_SPACES = re.compile(r"\\[~>]|(?<!\\)\$")
_HSKIP = re.compile(r"\\hskip\s*(-?[\d.\s]*?)\s*(cm|in|pt|mm|em)")
_OPEN_ROMAN = re.compile(r"\{ ?\\rm(?![a-zA-Z])")
_HAS_ROWS = re.compile(r"\\(?:begin|substack|[a-z]*matrix|cases)")


def clean(formula: str) -> str:
    r"""Return the formula without what is not seen, `{\rm x}` as `\mathrm{ x}`, `\hskip 1cm` as `\hspace{1cm}`.

    Where nothing has rows, `\\` becomes the space `\,`. FormulaError: a character that is not ASCII.
    """
    formula = formula.strip()
    if not formula.isascii():
        stranger = next(character for character in formula if not character.isascii())
        raise FormulaError(f"want ASCII characters only, got U+{ord(stranger):04X}")
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
    return formula
