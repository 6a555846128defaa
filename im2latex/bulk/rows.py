"""What goes into a bulk run and what comes out: settings, pictures, rows, failures."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from im2latex.latex.mathml import Format

FORMATS: tuple[Format, ...] = get_args(Format)


@dataclass(frozen=True)
class Settings:
    """How pictures are read; the same for a whole run."""

    beam: int = 1
    batch_size: int = 64
    """Pictures read together at most."""
    formats: tuple[Format, ...] = ("latex",)
    check: bool = False
    """Whether readings are rendered, and the one taken that looks like the picture."""


@dataclass(frozen=True)
class Picture:
    """The bytes of a picture, or why there are none."""

    file: str
    data: bytes = b""
    error: str = ""


@dataclass(frozen=True)
class Row:
    """What was read in a picture."""

    file: str
    sha256: str
    latex: str
    confidence: float
    likeness: float | None
    formats: Mapping[str, str | None]
    model: str
    seconds: float


@dataclass(frozen=True)
class Failure:
    """A picture in which nothing could be read."""

    file: str
    sha256: str
    error: str


Found = Row | Failure
