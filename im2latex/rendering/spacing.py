r"""Closes up what may not be spaced out: lengths (`1 . 5 c m`) and words in text (`\textrm { a n d }`).

A formula written as tokens has a blank between any two of them. TeX ignores those in mathematics, but not
inside a length or a text.
"""

import re

_UNIT = r"(?:t\sr\su\se\s)? (?:p\st|c\sm|m\sm|i\sn|e\sm|e\sx|m\su|b\sp|p\sc|d\sd|c\sc|s\sp) (?![a-z])"
_LENGTH = re.compile(
    rf"""( \\(?:hspace|vspace)\s*\*?\s*\{{ | \\\\\s*\[
        | \\(?:hskip|vskip|kern|mkern|mskip|raise|lower|rule|raisebox)\b\s*\{{? )
        \s*( [-+]?[\d.\s]*\d[\d.\s]* {_UNIT} )""",
    re.VERBOSE,
)
_TOKENS = re.compile(
    r"(?:\\(?:begin|end)\{\S+\}|\\[A-Za-z]+\*?|\\.|\S)(?: (?:\\(?:begin|end)\{\S+\}|\\[A-Za-z]+\*?|\\.|\S))*"
)
_SPACED_TEXT = re.compile(r"(\\(?:text(?:rm|bf|it|sf|tt|sc|up|sl|md|normal)?|mbox|hbox|emph) \{)((?: [^\s\\{}$])+) \}")


def close_up(formula: str) -> str:
    """The formula without blanks inside lengths and, where it is written as tokens, inside texts."""
    formula = _LENGTH.sub(lambda match: match[1] + re.sub(r"\s", "", match[2]), formula)
    if _SPACED_TEXT.search(formula) and _TOKENS.fullmatch(formula.strip()):
        formula = _SPACED_TEXT.sub(lambda match: match[1] + match[2].replace(" ", "") + "}", formula)
    return formula
