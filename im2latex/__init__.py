"""A picture of a formula goes in, LaTeX comes out: the public names, each loaded when first used."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from im2latex.errors import Im2LatexError
    from im2latex.predictor import Prediction, Predictor
    from im2latex.tokenizer import Tokenizer

__version__ = "0.1.0"
__all__ = ["Im2LatexError", "Prediction", "Predictor", "Tokenizer", "__version__"]

_HOMES = {
    "Im2LatexError": "im2latex.errors",
    "Prediction": "im2latex.predictor",
    "Predictor": "im2latex.predictor",
    "Tokenizer": "im2latex.tokenizer",
}


def __getattr__(name: str) -> object:
    """Import a public name from its home (PEP 562), so that `import im2latex` does not load torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'im2latex' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
