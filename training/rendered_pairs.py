"""Renders references and predictions in the official look and compares the pictures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from tqdm import tqdm

from im2latex.image_match import ImageMatch, compare_images, image_scores, no_image
from im2latex.rendering.raster import NOT_DRAWN
from im2latex.rendering.renderer import Look, Rendered, Renderer

COMPARED = Look(halve=False, margin=0)
"""The official look at the 200 dpi of the published pictures, cropped to the ink: what im2markup compares.

Their preamble loads amsmath, ours only where a formula needs it, as the published pictures were made.
"""


@dataclass(frozen=True)
class Comparison:
    """A prediction beside its reference, both rendered."""

    compiles: bool
    """TeX accepts the prediction; it may still show nothing."""
    match: ImageMatch | None
    """None: the reference has no picture to compare with."""


def compare_rendered(references: Sequence[str], predictions: Sequence[str], workers: int) -> Iterator[Comparison]:
    """Compare each prediction (LaTeX) with its reference; RenderError when LaTeX cannot be run."""
    pairs = chain.from_iterable(zip(references, predictions, strict=True))
    with Renderer(COMPARED, workers) as renderer:
        rendered = renderer.render(pairs)
        progress = tqdm(total=len(references), desc="comparing pictures", unit=" formulas", disable=None)
        for reference, prediction in zip(rendered, rendered, strict=True):
            yield Comparison(compiles(prediction), _match(reference, prediction))
            progress.update()
        progress.close()


def compiles(rendered: Rendered) -> bool:
    """True when TeX accepts the formula, even if it shows nothing or is too large to draw."""
    return rendered.error is None or rendered.error in NOT_DRAWN


def comparison_scores(comparisons: Sequence[Comparison], was_read: Sequence[bool]) -> dict[str, float]:
    """Image match over the references that have a picture; compile rate over the pictures that were read at all."""
    read = [comparison.compiles for comparison, is_read in zip(comparisons, was_read, strict=True) if is_read]
    matches = [comparison.match for comparison in comparisons if comparison.match is not None]
    return image_scores(matches) | {"compile_rate": 100 * sum(read) / max(1, len(read))}


def _match(reference: Rendered, prediction: Rendered) -> ImageMatch | None:
    if reference.image is None:
        return None
    return no_image(reference.image) if prediction.image is None else compare_images(reference.image, prediction.image)
