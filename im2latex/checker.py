"""Checker: renders what was read, and takes the reading that looks like the picture. Needs LaTeX.

Analysis by synthesis: where the most probable reading is wrong, the right one is often among those of a beam, or one
token away, and only that one looks like the picture. The look it is printed in is found in the same way.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain
from math import log
from operator import attrgetter
from statistics import mean
from typing import Any

from PIL import Image
from torch import Tensor

from im2latex.bundle import Bundle
from im2latex.cores import on_each_core, running
from im2latex.decoding.variations import vary
from im2latex.images import ImageSpec, prepare, resize_image
from im2latex.likeness import likeness
from im2latex.prediction import SAME, Prediction
from im2latex.predictor import Predictor
from im2latex.rendering.look import Look
from im2latex.rendering.tex import require_rendering
from im2latex.second_look import FACTORS, is_lost
from im2latex.tokenizer import EOS

LOOKS = tuple(Look(font_size=size, style=style) for style in ("display", "inline") for size in (12, 11, 10))
"""Looks that are tried; the first, that of IM2LATEX-100K, alone where a reading looks the same in it."""

WEIGHT = 3
"""Nats of probability that a reading may lack for each factor of e by which it is less unlike the picture."""

UNSEEN = 0.01
"""Unlikeness that nobody would see."""

BEAM = 5
"""Hypotheses of the second reading, unless more are wanted."""

VARIATIONS = 16
"""Variations of the best reading that are drawn, ..."""

ROUNDS = 3
"""... and of the best of those, as long as one is better, but no oftener than this."""

KNOWN = 0.85
"""Mean confidence of its tokens from which a reading is worth more work: noise stays below, what was printed above."""

LEAST = 1e-300
"""What counts as the confidence of a reading that has less, so that it has a logarithm."""


class Checker(Predictor):
    """A Predictor that renders its readings; the `likeness` of each says how much it looks like the picture.

    Only what is streamed is not checked.
    """

    def __init__(self, bundle: Bundle) -> None:
        """Raises RenderError, which names the packages to install, without LaTeX and the extra `check`."""
        require_rendering()
        super().__init__(bundle)

    def predict_prepared(
        self, images: Sequence[Tensor], beam: int = 1, alternatives: int = 0, leaves_circles: bool = True
    ) -> list[Prediction]:
        """As `Predictor.predict_prepared`: greedily, and what looks otherwise with a beam of BEAM or, if wider, `beam`.

        What may have lost its way, and is no noise, is read and searched a little smaller and larger, too. If the best
        of these looks otherwise, variations of it are tried. Alternatives come in the order of likeness and probability
        together.
        """
        readings = super().predict_prepared(images, leaves_circles=leaves_circles)
        found = _draw(images, [_Drawn(place, reading, LOOKS[0]) for place, reading in enumerate(readings)])
        others = [replace(drawn, look=look) for drawn in found if drawn.likeness < SAME for look in LOOKS[1:]]
        for drawn in _draw(images, others):
            found[drawn.place] = max(found[drawn.place], drawn, key=attrgetter("likeness"))
        doubtful = [(drawn, images[drawn.place]) for drawn in found if alternatives or drawn.likeness < SAME]
        resized = [
            (drawn, resize_image(image, factor))
            for drawn, image in doubtful
            if drawn.is_worth_more and is_lost(drawn.reading)
            for factor in FACTORS
        ]
        asked = doubtful + resized
        beam = max(beam, BEAM, alternatives + 1)
        searched = super().predict_prepared([image for _, image in asked], beam, beam - 1)
        hypotheses = [
            replace(drawn, reading=reading)
            for (drawn, _), best in zip(asked, searched, strict=True)
            for reading in (replace(best, alternatives=[]), *best.alternatives)
        ]
        again = super().predict_prepared([image for _, image in resized], leaves_circles=False)
        hypotheses += [replace(drawn, reading=reading) for (drawn, _), reading in zip(resized, again, strict=True)]
        known = [{drawn.reading.tokens: drawn} for drawn in found]
        _add(known, _draw(images, hypotheses))
        varied: dict[int, _Drawn] = {}
        for _ in range(ROUNDS):
            unlike = [best for best in map(_best, known) if best.is_worth_more and best is not varied.get(best.place)]
            varied |= {best.place: best for best in unlike}
            varieties = self._vary(images, unlike)
            _add(known, _draw(images, [each for each in varieties if each.reading.tokens not in known[each.place]]))
        answers = []
        for group in known:
            best, *rest = (drawn.reading for drawn in sorted(group.values(), key=attrgetter("score"), reverse=True))
            answers.append(replace(best, alternatives=rest[:alternatives]))
        return answers

    def _vary(self, images: Sequence[Tensor], unlike: Sequence["_Drawn"]) -> list["_Drawn"]:
        """Readings that differ from these at a doubtful place; none of bundles without a draft."""
        decoder: Any = self.bundle.decoder
        draft = self.draft
        if draft is None:
            return []
        encode = self.bundle.tokenizer.encode

        def vary_one(drawn: _Drawn) -> list[_Drawn]:
            token_ids = [*encode(drawn.reading.tokens.split()), EOS]
            portions = vary(decoder, draft, images[drawn.place], token_ids, VARIATIONS)
            return [replace(drawn, reading=self._to_prediction(*portion)) for portion in portions]

        return list(chain(*on_each_core(vary_one, unlike)))


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
    def is_worth_more(self) -> bool:
        """Whether it looks otherwise than the picture, but is not a mere guess."""
        return self.likeness < SAME and mean(self.reading.token_confidences or [0.0]) >= KNOWN

    @property
    def score(self) -> float:
        """What is very like the picture wins by its looks; where nothing is, as in another font, by its probability."""
        return log(max(self.reading.confidence, LEAST)) - WEIGHT * log(1 - self.likeness + UNSEEN)


_Known = Sequence[dict[str, _Drawn]]
"""For each image its readings by their tokens."""


def _add(known: _Known, found: Sequence[_Drawn]) -> None:
    for drawn in found:
        known[drawn.place].setdefault(drawn.reading.tokens, drawn)


def _best(readings: dict[str, _Drawn]) -> _Drawn:
    return max(readings.values(), key=attrgetter("score"))


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
