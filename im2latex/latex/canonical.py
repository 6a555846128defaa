"""One spelling for one picture: a formula in the normal form of IM2LATEX-100K."""

from collections.abc import Sequence

from im2latex.latex.commands import FUNCTIONS
from im2latex.latex.normalizer import normalize
from im2latex.latex.source import clean
from im2latex.latex.tokens import tokenize

_OFFICIAL: dict[str, tuple[str, ...]] = {
    **FUNCTIONS,
    r"\operatorname*": (r"\operatorname", "*"),  # one token only where it comes from a function
    r"\limits": (),
    r"\nolimits": (),
}


def canonicalize(formula: str) -> list[str]:
    """Return the tokens of the formula's normal form; FormulaError where it cannot be read.

    Doing it twice changes nothing: `canonicalize(" ".join(tokens)) == tokens`.
    """
    return normalize(tokenize(clean(formula)))


def to_official(tokens: Sequence[str]) -> list[str]:
    r"""Return the tokens as the data set's authors write them: `\ln` becomes `\operatorname { l n }`."""
    return [official for token in tokens for official in _OFFICIAL.get(token, (token,))]
