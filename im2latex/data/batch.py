"""Renders one batch of formulas, so that whatever one of them does, the others come out right."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from im2latex.data.look import Look
from im2latex.data.raster import crop, is_cut, rasterise
from im2latex.data.risky import is_risky
from im2latex.data.tex import run_latex

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
        if not numbers:
            continue
        stopped_at = _run({n: formulas[n] for n in numbers}, look, outcome, with_amsmath=with_amsmath)
        if stopped_at is not None:
            waiting += [[stopped_at], [n for n in numbers if n != stopped_at]]
    return outcome


def _run(formulas: Mapping[int, str], look: Look, outcome: Outcome, *, with_amsmath: bool) -> int | None:
    """One run of LaTeX into the outcome; or nothing of it, and the formula without which to run again."""
    with tempfile.TemporaryDirectory(prefix="im2latex-") as folder:
        run = run_latex(formulas, look, Path(folder), with_amsmath=with_amsmath)
    if run.stopped_at is not None and len(formulas) > 1:
        return run.stopped_at
    outcome.errors |= run.errors
    for number, page in rasterise(run.pdf, look) if run.pdf is not None else ():
        if number in run.errors:
            continue
        image = crop(page, look)
        if image is None:
            outcome.errors[number] = "the formula shows nothing"
        elif is_cut(page):
            outcome.errors[number] = "ink leaves the page"
        else:
            outcome.images[number] = image
    for number in formulas:
        if number not in outcome.images:
            outcome.errors.setdefault(number, "the formula ended the document")
    return None
