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

from im2latex.cores import on_each_core, running
from im2latex.images import ImageSpec, prepare
from im2latex.likeness import likeness
from im2latex.prediction import Prediction
from im2latex.predictor import ImageSource, Predictor
from im2latex.rendering.look import Look
from im2latex.rendering.renderer import render_formulas
from im2latex.rendering.tex import require_latex

LOOKS = tuple(Look(font_size=size, style=style) for style in ("display", "inline") for size in (12, 11, 10))
"""Looks that are tried; the first, that of IM2LATEX-100K, alone where a reading looks the same in it."""

SAME = 0.99
"""Likeness of a reading that needs no others beside it."""

ALIKE = 0.82
"""Where none of the readings is so much alike, the picture is in no look of ours: the most probable one is taken."""

DOUBT = 0.01
"""Likeness that a reading must have more for each factor of e by which it is less probable."""

BEAM = 5
"""Hypotheses of the second reading."""


class Checker:
    """Reads pictures with a Predictor and checks the readings by LaTeX; threads may share one."""

    def __init__(self, predictor: Predictor) -> None:
        """Raises RenderError, which names the packages to install, where there is no LaTeX."""
        require_latex()
        self.predictor = predictor

    def predict(self, image: ImageSource, beam: int = BEAM) -> Prediction:
        """As `Predictor.predict`; the prediction's `likeness` says how much, rendered, it looks like the picture."""
        return self.predict_batch([image], beam)[0]

    def predict_batch(self, images: Sequence[ImageSource], beam: int = BEAM) -> list[Prediction]:
        """As `Predictor.predict_batch`: greedily, and again with a beam what, rendered, does not look the same."""
        pictures = self.predictor.prepare(images)
        readings = self.predictor.predict_prepared(pictures)
        found = _draw(pictures, [_Drawn(place, reading, LOOKS[0]) for place, reading in enumerate(readings)])
        others = [replace(drawn, look=look) for drawn in _unlike(found) for look in LOOKS[1:]]
        for drawn in _draw(pictures, others):
            found[drawn.place] = max(found[drawn.place], drawn, key=attrgetter("likeness"))
        unlike = _unlike(found)
        searched = self.predictor.predict_prepared([pictures[drawn.place] for drawn in unlike], beam, beam - 1)
        hypotheses = [
            replace(drawn, reading=each)
            for drawn, best in zip(unlike, searched, strict=True)
            for each in (replace(best, alternatives=[]), *best.alternatives)
        ]
        for place, group in groupby(_draw(pictures, hypotheses), attrgetter("place")):
            found[place] = _choose(found[place], list(group))
        return [replace(drawn.reading, likeness=drawn.likeness) for drawn in found]


@dataclass(frozen=True)
class _Drawn:
    """A reading of the picture at some place, and how much that looks like it in some look."""

    place: int
    reading: Prediction
    look: Look
    likeness: float = 0.0


def _unlike(found: Sequence[_Drawn]) -> list[_Drawn]:
    return [drawn for drawn in found if drawn.likeness < SAME]


def _choose(greedy: _Drawn, hypotheses: Sequence[_Drawn]) -> _Drawn:
    """The one that looks most like the picture, unless none does: the most probable, then."""
    best = max([greedy, *hypotheses], key=lambda each: each.likeness + DOUBT * log(max(each.reading.confidence, 1e-9)))
    return best if best.likeness >= ALIKE else hypotheses[0]


def _draw(pictures: Sequence[Tensor], asked: Sequence[_Drawn]) -> list[_Drawn]:
    """All of them rendered, and compared with their pictures."""
    looks = list(dict.fromkeys(each.look for each in asked))
    formulas = [[each.reading.latex for each in asked if each.look == look] for look in looks]
    with ThreadPoolExecutor(max(1, len(looks))) as pool:  # LaTeX runs in processes of its own
        rendered = pool.map(lambda look, group: [each.image for each in render_formulas(group, look)], looks, formulas)
        images = {look: iter(group) for look, group in zip(looks, rendered, strict=True)}
    drawn = [(each, next(images[each.look])) for each in asked]

    def compare(pair: tuple[_Drawn, Image.Image | None]) -> _Drawn:
        each, image = pair
        if image is None:  # TeX refuses it, or it shows nothing
            return replace(each, likeness=0.0)
        with running():
            return replace(each, likeness=likeness(pictures[each.place], prepare(image, ImageSpec(), shrink=1.0)))

    return on_each_core(compare, drawn)
