"""Do two pictures of formulas look the same? Compared column by column, as im2markup does (arXiv 1609.04938).

The pictures are black and white from level 128, aligned at their upper left corner, the lower one padded with paper.
A picture is the sequence of its columns:

- `edits` is the edit distance of the two sequences, columns being equal when all their pixels are: the published image
  edit distance. Over a corpus the score is 1 - edits / columns, `columns` being the longer width, both summed.
- For a match, columns that differ in fewer than 5 pixels are one symbol, in order of appearance: a column takes the
  symbol of the first one seen that is as near. The two sequences of symbols are aligned by fewest edits, and match when
  no run of edits is 5 columns long. The same without blank columns is the second match, which ignores spacing.

We differ from `scripts/evaluation/evaluate_image.py` of im2markup in one point. It takes the length of a run in the
reference alone, so that columns only added, be they a whole symbol, never count. Here a run is as long as the longer of
its two sides. What the script itself would say is in `is_published_match` and `is_published_match_without_blanks`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rapidfuzz.distance import Levenshtein

DARKEST_PAPER = 128  # levels up to this are ink
TOLERANCE = 5  # pixels in a column, and columns in a run, from which a difference counts

Columns = NDArray[np.uint8]  # (W, H), 1 for ink


@dataclass(frozen=True)
class ImageMatch:
    """How two pictures compare; see the head of this file."""

    edits: int
    columns: int
    is_match: bool
    is_match_without_blanks: bool
    is_published_match: bool
    is_published_match_without_blanks: bool

    @property
    def is_identical(self) -> bool:
        """True when every pixel is the same."""
        return self.edits == 0


def compare_images(reference: Image.Image, prediction: Image.Image) -> ImageMatch:
    """Compare two pictures (mode "L", black on white) cropped to their ink; best at 200 dpi, as the papers do."""
    left, right = _align(_columns(reference), _columns(prediction))
    width = max(len(left), len(right))
    if np.array_equal(left, right):
        return ImageMatch(0, width, *[True] * 4)
    edits = Levenshtein.distance([column.tobytes() for column in left], [column.tobytes() for column in right])
    is_match, is_published = _match(left, right)
    is_bare_match, is_bare_published = _match(left[left.any(axis=1)], right[right.any(axis=1)])
    return ImageMatch(edits, width, is_match, is_bare_match, is_published, is_bare_published)


def no_image(reference: Image.Image) -> ImageMatch:
    """What a prediction without a picture gets: every column of the reference is missing."""
    return ImageMatch(reference.width, reference.width, *[False] * 4)


def image_scores(matches: Sequence[ImageMatch]) -> dict[str, float]:
    """The scores of a corpus in percent, higher is better; all 0 for an empty one."""
    count, columns = max(1, len(matches)), max(1, sum(match.columns for match in matches))
    return {
        "image_match": 100 * sum(match.is_match for match in matches) / count,
        "image_match_ignoring_blank_columns": 100 * sum(match.is_match_without_blanks for match in matches) / count,
        "image_match_im2markup": 100 * sum(match.is_published_match for match in matches) / count,
        "image_match_im2markup_ignoring_blank_columns": (
            100 * sum(match.is_published_match_without_blanks for match in matches) / count
        ),
        "image_identical": 100 * sum(match.is_identical for match in matches) / count,
        "image_edit_score": 100 * sum(match.columns - match.edits for match in matches) / columns,
    }


def _columns(image: Image.Image) -> Columns:
    return np.ascontiguousarray((np.asarray(image).T <= DARKEST_PAPER).astype(np.uint8))


def _align(left: Columns, right: Columns) -> tuple[Columns, Columns]:
    """Both with the height of the higher one, paper added below."""
    height = max(left.shape[1], right.shape[1])
    return tuple(np.pad(side, ((0, 0), (0, height - side.shape[1]))) for side in (left, right))  # type: ignore[return-value]


def _match(left: Columns, right: Columns) -> tuple[bool, bool]:
    """Whether no run of edits is too long, by the longer side of the run, and by the reference's side alone."""
    if not len(left) or not len(right):
        return (len(left) == len(right),) * 2
    symbols = _symbols(left, right)
    edits = Levenshtein.opcodes(symbols[: len(left)], symbols[len(left) :])
    runs = [(edit.src_end - edit.src_start, edit.dest_end - edit.dest_start) for edit in edits if edit.tag != "equal"]
    return all(max(run) < TOLERANCE for run in runs), all(run[0] < TOLERANCE for run in runs)


def _symbols(left: Columns, right: Columns) -> list[int]:
    """A symbol for each column of both: that of the first column which differs in fewer than TOLERANCE pixels."""
    numbers: dict[bytes, int] = {}
    order = [numbers.setdefault(column.tobytes(), len(numbers)) for column in chain(left, right)]
    height = left.shape[1]
    distinct = np.frombuffer(b"".join(numbers), dtype=np.uint8).reshape(-1, height).astype(np.float32)
    ink = distinct.sum(axis=1)
    differing = ink[:, None] + ink[None, :] - 2 * (distinct @ distinct.T)
    near = differing < TOLERANCE - 0.5
    symbol_of = np.full(len(distinct), -1)
    for number in range(len(distinct)):
        if symbol_of[number] < 0:
            symbol_of[(symbol_of < 0) & near[number]] = number
    return [int(symbol) for symbol in symbol_of[order]]
