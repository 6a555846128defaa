"""Checker: renders what was read, and takes the reading that looks like the picture. Needs LaTeX.

Analysis by synthesis: where the most probable reading is wrong, the right one is often among those of a beam, and only
that one looks like the picture. The look it is printed in is found in the same way.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import groupby
from math import log
from operator import attrgetter

from PIL import Image
from torch import Tensor

from im2latex.bundle import Bundle
from im2latex.cores import on_each_core, running
from im2latex.images import ImageSpec, prepare
from im2latex.likeness import likeness
from im2latex.prediction import Prediction
from im2latex.predictor import Predictor
from im2latex.rendering.look import Look
from im2latex.rendering.tex import require_rendering

LOOKS = tuple(Look(font_size=size, style=style) for style in ("display", "inline") for size in (12, 11, 10))
"""Looks that are tried; the first, that of IM2LATEX-100K, alone where a reading looks the same in it."""

SAME = 0.99
"""Likeness of a reading that needs no others beside it."""

WEIGHT = 3
"""Nats of probability that a reading may lack for each factor of e by which it is less unlike the picture."""

UNSEEN = 0.01
"""Unlikeness that nobody would see."""

BEAM = 5
"""Hypotheses of the second reading, unless more are wanted."""


class Checker(Predictor):
    """A Predictor that renders its readings; the `likeness` of each says how much it looks like the picture.

    Only what is streamed is not checked.
    """

    def __init__(self, bundle: Bundle) -> None:
        """Raises RenderError, which names the packages to install, without LaTeX and the extra `check`."""
        require_rendering()
        super().__init__(bundle)

    def predict_prepared(self, images: Sequence[Tensor], beam: int = 1, alternatives: int = 0) -> list[Prediction]:
        """As `Predictor.predict_prepared`: greedily, and what looks otherwise with a beam of BEAM or, if wider, `beam`.

        Alternatives come in the order of likeness and probability together.
        """
        readings = super().predict_prepared(images)
        found = _draw(images, [_Drawn(place, reading, LOOKS[0]) for place, reading in enumerate(readings)])
        others = [replace(drawn, look=look) for drawn in found if drawn.likeness < SAME for look in LOOKS[1:]]
        for drawn in _draw(images, others):
            found[drawn.place] = max(found[drawn.place], drawn, key=attrgetter("likeness"))
        doubtful = [drawn for drawn in found if alternatives or drawn.likeness < SAME]
        beam = max(beam, BEAM, alternatives + 1)
        searched = super().predict_prepared([images[drawn.place] for drawn in doubtful], beam, beam - 1)
        hypotheses = [
            replace(drawn, reading=reading)
            for drawn, best in zip(doubtful, searched, strict=True)
            for reading in (replace(best, alternatives=[]), *best.alternatives)
        ]
        answers = [drawn.reading for drawn in found]
        for place, group in groupby(_draw(images, hypotheses), attrgetter("place")):
            best, *rest = (drawn.reading for drawn in _in_order(found[place], list(group)))
            answers[place] = replace(best, alternatives=rest[:alternatives])
        return answers


@dataclass(frozen=True)
class _Drawn:
    """A reading of the image at some place, in some look."""

    place: int
    reading: Prediction
    look: Look

    @property
    def likeness(self) -> float:
        return self.reading.likeness or 0.0

    @property
    def score(self) -> float:
        """What is very like the picture wins by its looks; where nothing is, as in another font, by its probability."""
        return log(max(self.reading.confidence, 1e-9)) - WEIGHT * log(1 - self.likeness + UNSEEN)


def _in_order(greedy: _Drawn, hypotheses: Sequence[_Drawn]) -> list[_Drawn]:
    """Different readings, best first."""
    different = {drawn.reading.tokens: drawn for drawn in (greedy, *hypotheses)}
    return sorted(different.values(), key=attrgetter("score"), reverse=True)


def _draw(images: Sequence[Tensor], asked: Sequence[_Drawn]) -> list[_Drawn]:
    """All of them with their likeness."""
    from im2latex.rendering.renderer import render_formulas  # with packages that not all have

    looks = list(dict.fromkeys(drawn.look for drawn in asked))
    formulas = [[drawn.reading.latex for drawn in asked if drawn.look == look] for look in looks]
    with ThreadPoolExecutor(max(1, len(looks))) as pool:  # LaTeX runs in processes of its own
        rendered = pool.map(lambda look, group: [each.image for each in render_formulas(group, look)], looks, formulas)
        queues = {look: iter(group) for look, group in zip(looks, rendered, strict=True)}
    pairs = [(drawn, next(queues[drawn.look])) for drawn in asked]

    def compare(pair: tuple[_Drawn, Image.Image | None]) -> _Drawn:
        drawn, rendered = pair
        alike = 0.0  # of what TeX refuses, or shows nothing
        if rendered is not None:
            with running():
                alike = likeness(images[drawn.place], prepare(rendered, ImageSpec(), shrink=1.0))
        return replace(drawn, reading=replace(drawn.reading, likeness=alike))

    return on_each_core(compare, pairs)
