"""prepare: a formula list becomes a packed data set, every formula rendered by TeX."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from im2latex.data.formulas import Formula
from im2latex.data.pack import Drawn, PackConfig, Readable, Report, pack
from im2latex.data.render import Look, Renderer


def prepare(
    formulas: Sequence[Formula],
    out: str | Path,
    look: Look,
    *,
    workers: int = 1,
    config: PackConfig | None = None,
) -> Report:
    """Canonicalizes, renders and packs; goes on where an earlier call with the same arguments was cut off.

    What is rendered are the canonical tokens, so that picture and label cannot disagree; the formula as it
    was written is kept beside them. Raises RenderError where TeX is not installed.
    """
    with Renderer(look, workers) as renderer:

        def draw(part: list[Readable]) -> Iterator[Drawn]:
            texts = [" ".join(tokens) for _, tokens in part]
            return (Drawn(rendered.image, rendered.error) for rendered in renderer.render(texts))

        return pack(formulas, Path(out), draw, {"look": asdict(look)}, config or PackConfig())
