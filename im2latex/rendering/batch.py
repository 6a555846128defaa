"""Renders one batch of formulas, so that whatever one of them does, the others come out right."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from im2latex.rendering.look import Look
from im2latex.rendering.raster import rasterise
from im2latex.rendering.risky import is_risky
from im2latex.rendering.tex import NO_PAGE, run_latex

_LACKING = re.compile(r"Undefined control sequence|Environment \S+ undefined")


@dataclass
class Outcome:
    """Pictures, and reasons for having none, by the number of the formula."""

    images: dict[int, Image.Image] = field(default_factory=dict)
    errors: dict[int, str] = field(default_factory=dict)


def render_batch(formulas: Mapping[int, str], look: Look) -> Outcome:
    """A picture or a reason for every formula; those that need amsmath, and only those, are given it."""
    outcome = _render(formulas, look, with_amsmath=False)
    lacking = {n: formulas[n] for n, reason in outcome.errors.items() if _LACKING.search(reason)}
    with_amsmath = _render(lacking, look, with_amsmath=True)
    outcome.images |= with_amsmath.images
    outcome.errors = {n: reason for n, reason in outcome.errors.items() if n not in lacking}
    outcome.errors |= with_amsmath.errors
    return outcome


def _render(formulas: Mapping[int, str], look: Look, *, with_amsmath: bool) -> Outcome:
    """All formulas together, but alone those that might harm others, and those that ended a run."""
    outcome = Outcome()
    together = [n for n, formula in formulas.items() if not is_risky(formula)]
    waiting = [[n] for n in formulas if n not in set(together)] + [together]
    while waiting:
        numbers = waiting.pop()
        if numbers:
            waiting += _run({n: formulas[n] for n in numbers}, look, outcome, with_amsmath=with_amsmath)
    return outcome


def _run(formulas: Mapping[int, str], look: Look, outcome: Outcome, *, with_amsmath: bool) -> list[list[int]]:
    """One run of LaTeX into the outcome; or, if one formula spoiled it, the parts in which to try again."""
    with tempfile.TemporaryDirectory(prefix="im2latex-") as folder:
        run = run_latex(formulas, look, Path(folder), with_amsmath=with_amsmath)
    numbers = list(formulas)
    if run.pdf is None and len(numbers) > 1:
        if run.stopped_at is not None:
            return [[run.stopped_at], [n for n in numbers if n != run.stopped_at]]
        middle = len(numbers) // 2
        return [numbers[:middle], numbers[middle:]]
    outcome.errors |= run.errors
    for number, picture in rasterise(run.pdf, look) if run.pdf is not None else ():
        if number not in formulas or number in run.errors:
            continue
        if isinstance(picture, str):
            outcome.errors[number] = picture
        else:
            outcome.images[number] = picture
    for number in numbers:
        if number not in outcome.images:
            outcome.errors.setdefault(number, NO_PAGE)
    return []
