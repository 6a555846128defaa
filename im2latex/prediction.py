"""What is said of a picture: its LaTeX, how sure the model is, and what else it may be."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SAME = 0.99
"""Likeness of a reading that needs no others beside it."""


@dataclass(frozen=True)
class ReadToken:
    """A token as it is read, with its confidence."""

    token: str
    confidence: float


@dataclass(frozen=True)
class Prediction:
    """What was read in one picture."""

    latex: str
    """As a person writes it."""
    tokens: str
    """The canonical tokens, separated by single spaces."""
    confidence: float
    """The probability, 0..1, that the formula is exactly right, spacing aside, if the bundle is calibrated.

    If it is not: the model's own probability of the formula, that of its tokens and the end together.
    """
    token_confidences: list[float]
    """The probability of each token, given those before it: calibrated if the bundle is, otherwise the model's own."""
    mean_log_prob: float = 0.0
    """Mean natural logarithm of the model's own probability of a token, the end among them: 0 is sure."""
    alternatives: list["Prediction"] = field(default_factory=list)
    """Other readings that the beam found, best first; as many as were asked for, or fewer."""
    likeness: float | None = None
    """How much the formula, rendered, looks like the picture, 0..1 (`im2latex.likeness`); None: nobody looked."""


def to_json_line(fields: Mapping[str, Any]) -> str:
    """The fields as a line that every UTF-8 stream takes: bytes of a file name that are no UTF-8 become \\udcNN."""
    return json.dumps(fields, ensure_ascii=False).encode(errors="backslashreplace").decode()
