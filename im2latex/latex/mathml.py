"""LaTeX -> MathML, by latex2mathml, written out so that no formula can add markup of its own."""

import re
from html import unescape
from typing import Literal
from xml.etree.ElementTree import Element, tostring

from im2latex.errors import FormulaError

Format = Literal["latex", "mathml"]
"""What a reading can be told in."""

MATHML = "http://www.w3.org/1998/Math/MathML"
LEADS_OUTSIDE = ("href", "style", "class", "id")
"""Attributes that a formula may set and a page must not take from a stranger."""

NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML cannot hold."""

BROKEN_FORMULA = (RecursionError, StopIteration, LookupError, ValueError, TypeError, AttributeError)
"""What latex2mathml raises beside its own errors, as property tests found them."""


def to_format(formula: str, kind: Format) -> str | None:
    """A formula in one of the formats; None where it cannot be written in it."""
    if kind == "latex":
        return formula
    try:
        return to_mathml(formula)
    except FormulaError:
        return None


def to_mathml(formula: str) -> str:
    """Convert a formula as a person types it into one <math> element; raises FormulaError when it cannot be."""
    from latex2mathml import exceptions
    from latex2mathml.converter import convert_to_element

    if NOT_XML.search(unescape(formula)):
        raise FormulaError("the formula has characters that MathML cannot hold")
    named = tuple(kind for kind in vars(exceptions).values() if isinstance(kind, type) and issubclass(kind, Exception))
    try:
        tree = convert_to_element(formula, xmlns=MATHML, display="block")
    except named + BROKEN_FORMULA as error:
        raise FormulaError(f"the formula cannot be written as MathML ({type(error).__name__})") from error
    clean(tree)
    return tostring(tree, encoding="unicode")


def clean(tree: Element) -> None:
    """Leave plain text where the library left half of XML: its own writer turns the text <b> into a tag."""
    for element in tree.iter():
        element.text = unescape(element.text) if element.text else None
        for name in LEADS_OUTSIDE:
            element.attrib.pop(name, None)
