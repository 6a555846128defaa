"""prepare: a formula list becomes a packed data set, every formula rendered by TeX."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from im2latex.data.formulas import Formula
from im2latex.data.looks import LOOKS, OFFICIAL, draw_look
from im2latex.data.pack import Drawn, PackConfig, Readable, Report, pack
from im2latex.latex import to_latex
from im2latex.rendering.renderer import Look, Renderer


def prepare(
    formulas: Sequence[Formula],
    out: str | Path,
    look: Look,
    *,
    look_share: float = 1.0,
    workers: int = 1,
    config: PackConfig | None = None,
) -> Report:
    """Canonicalizes, renders and packs; goes on where an earlier call with the same arguments was cut off.

    What is rendered are the canonical tokens, written out as LaTeX, so that picture and label cannot disagree;
    the formula as it was written is kept beside them. `look_share` of the formulas are drawn in `look`, the rest
    in the other looks of LOOKS, whose names then end the source. Raises RenderError where TeX is not installed.
    """
    looks = {**LOOKS, OFFICIAL: look}
    facts: dict[str, Any] = {"look": asdict(look)}
    if look_share < 1:
        facts |= {"look_share": look_share, "other_looks": {name: asdict(other) for name, other in LOOKS.items()}}
        formulas = [Formula(f.formula, f"{f.source}/{draw_look(f.formula, look_share)}") for f in formulas]
    with Renderer(look, workers) as renderer:

        def draw(part: list[Readable]) -> Iterator[Drawn]:
            texts = [to_latex(tokens) for _, tokens in part]
            names = [draw_look(formula.formula, look_share) for formula, _ in part]
            return _draw(renderer, texts, [looks[name] for name in names])

        return pack(formulas, Path(out), draw, facts, config or PackConfig())


def _draw(renderer: Renderer, texts: list[str], looks: list[Look]) -> Iterator[Drawn]:
    """In the order given; the formulas of one look share their runs of TeX."""
    streams = {
        look: renderer.render([text for text, its in zip(texts, looks, strict=True) if its == look], look=look)
        for look in dict.fromkeys(looks)
    }
    for look in looks:
        answer = next(streams[look])
        yield Drawn(answer.image, answer.error)
