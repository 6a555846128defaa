"""The language: tokens, the normal form, and LaTeX as a person writes it."""

from im2latex.latex.canonical import canonicalize, to_official
from im2latex.latex.output import to_latex
from im2latex.latex.tokens import tokenize

__all__ = ["canonicalize", "to_latex", "to_official", "tokenize"]
