"""SymbolReader: a picture of one handwritten symbol in, its LaTeX and the next guesses out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from im2latex.bundle import SymbolBundle, load_symbols
from im2latex.cores import running
from im2latex.images import open_image
from im2latex.shipped import SYMBOLS, find_model
from im2latex.symbol_image import normalize_symbol, to_input

ImageSource = bytes | str | Path | Image.Image

LATEX_OF = {r"\lt": "<", r"\gt": ">"}
"""Classes that are called otherwise than LaTeX writes them; every other class is named by its command."""


@dataclass(frozen=True)
class Guess:
    """One symbol that the picture may show."""

    latex: str
    """As it is written in a formula; `x` as well as `\\alpha`."""
    confidence: float
    """The probability that it is this one, as the network tells it after calibration."""


class SymbolReader:
    """A loaded network. It keeps no state: threads may share one reader."""

    def __init__(self, bundle: SymbolBundle) -> None:
        self.bundle = bundle
        self.symbols = tuple(LATEX_OF.get(name, name) for name in bundle.classes)

    @classmethod
    def load(cls, path: str | Path | None = None) -> "SymbolReader":
        """Load a bundle of symbols, by default the one that ships; raises BundleError when there is none."""
        return cls(load_symbols(find_model(path, SYMBOLS)))

    def read(self, image: ImageSource, guesses: int = 6) -> list[Guess]:
        """The most probable symbols, best first, in a picture of one; raises ImageError."""
        return self.read_batch([image], guesses)[0]

    def read_batch(self, images: Sequence[ImageSource], guesses: int = 6) -> list[list[Guess]]:
        """The guesses for each picture, in the order given; raises ImageError if one of them is bad."""
        if not images:
            return []
        squares = np.stack([np.asarray(normalize_symbol(open_image(image))) for image in images])
        with running():
            probabilities = self.bundle.classifier(to_input(torch.from_numpy(squares)))  # (B, classes)
        best = probabilities.topk(min(guesses, len(self.symbols)), dim=1)
        return [
            [Guess(self.symbols[number], round(confidence, 6)) for number, confidence in zip(*row, strict=True)]
            for row in zip(best.indices.tolist(), best.values.tolist(), strict=True)
        ]
