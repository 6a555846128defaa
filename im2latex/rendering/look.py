"""Look: how a rendered formula shall look; the default is the look of IM2LATEX-100K's pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Look:
    """Everything that decides the pixels of a rendered formula.

    The defaults give the official pictures halved: 12 pt article, a real display in the standard text width,
    no amsmath, 200 dots an inch, cropped to the ink plus 8 pixels, then half size by Lanczos.
    """

    font_size: Literal[10, 11, 12] = 12  # points, as article knows them
    style: Literal["display", "inline"] = "display"
    bold: bool = False
    preamble: str = ""  # more LaTeX for the preamble: font packages and the like; trusted, never data
    dpi: int = 200
    margin: int = 8  # pixels of paper around the ink, before halving
    halve: bool = True
