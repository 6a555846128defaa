"""How large the print in a picture is, compared with the official look of IM2LATEX-100K (100 dpi, 12 pt).

Two witnesses are asked: the width of the strokes, which bold letters and fine scripts mislead, and a small network
that looks at the shapes of the glyphs. `training/train_scale.py` makes it, `training/measure_scale.py`
measures what comes of both.
"""

from functools import cache
from math import log
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

NETWORK = Path(__file__).with_name("scale.onnx")
NETWORK_SHARE = 0.5
"""Weight of the network in the geometric mean of both witnesses."""
SMALLEST, LARGEST = 0.4, 4.0
"""Sizes that the network has learned to tell."""
CELL = 8
"""Side of the places that the network judges, px."""
LARGEST_AREA = 2**19
"""Pixels that the network is shown; of a larger picture it sees a reduced copy."""

FAINT = 38
"""Ink of 255 that strokes are not measured by: JPEG of quality 30 leaves as much beside them, which is no contour."""
WITHOUT_FAINT = [0] * FAINT + list(range(FAINT, 256))

OFFICIAL_STROKE_PX = 1.24
"""What `print_size` divides by, so that the median of the 800 official pictures before they are halved is 2.0.

Halved, their median is 1.02 and the largest is below 1.62. `training/measure_scale.py` prints these figures.
"""

UNTOUCHED_BELOW = 1.47
"""Size from which print is shrunk: between the smallest 1 % of the official pictures before they were halved (1.51;
median 1.91) and the largest 1 % of 800 pictures of another renderer, which should stay as they are (1.47)."""

HALVED_BELOW = 2.55
"""Size below which larger print is halved: a quarter of 150 official pictures at 300 dpi measure below 2.69."""

BENEFIT_OF_DOUBT = 0.3
"""Sizes up to 3.7 count as 3, and so on: bold formulas measure larger than they are."""

SMALLEST_RATIO, LARGEST_RATIO = 0.75, 1.85
"""Print that measures so many times a whole size may yet be of that size: bold formulas measure larger."""

BETWEEN = 1.25
"""Print that measures this factor more or less than a whole size may be of a size between: 150 dpi is 1.5 times the
official size."""

ENLARGEMENT, ENLARGED_BELOW, PERHAPS_SMALL_BELOW = 1.4, 0.78, 0.9
"""By what small print is enlarged, below which size that comes first, and below which it is a possibility.

Strokes thinner than a pixel no longer tell how small print is: official pictures of 60, 72, 85, 100 dpi measure 0.79,
0.84, 0.91, 1.02 in the median."""


def stroke_width(ink: Image.Image) -> float:
    """Width in px of the strokes in a picture ("L") of ink 255 on paper 0; hairlines measure less than 1.

    Twice the ink over the length of its contour. Each pixel of ink is weighted by its own darkness, so that a hairline
    which covers a third of its pixels measures 1/3. The contour is the total variation, corrected for slanted strokes.
    """
    values = np.asarray(ink, dtype=np.float32) / 255
    contour = np.abs(values[1:] - values[:-1]).sum() + np.abs(values[:, 1:] - values[:, :-1]).sum()
    contour += values[0].sum() + values[-1].sum() + values[:, 0].sum() + values[:, -1].sum()  # beside it is paper
    return float(2 * np.vdot(values, values) / max(float(contour) * np.pi / 4, 1e-6))


def stroke_size(ink: Image.Image) -> float:
    """Size of the print, 1 for the official look, by the width of its strokes and how it falls at half the size.

    Small bold print and large light print have strokes of one width; but halving takes more from the second, whose
    strokes fill their pixels. The second width doubles the pictures told apart (misses: 15 of 2,398 instead of 31).
    """
    ink = ink.point(WITHOUT_FAINT)
    width = stroke_width(ink)
    return width * width / max(stroke_width(ink.reduce(2)), 1e-6) / OFFICIAL_STROKE_PX


@cache
def network() -> onnxruntime.InferenceSession:
    """The trained network, made by `training/scale_net.py`: `ink` (B, 1, H, W) to log2 of the size, (B,)."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(NETWORK, options, providers=["CPUExecutionProvider"])


def print_size(ink: Image.Image) -> float:
    """Size of the print in a picture ("L") of ink 255 on paper 0, 1 for the official look: what both witnesses say."""
    by_strokes = stroke_size(ink)
    reduced = max(1, int(by_strokes / 2), *(-(-side // 2048) for side in ink.size))
    while ink.width * ink.height > LARGEST_AREA * reduced**2:
        reduced += 1
    values = np.asarray(ink.reduce(reduced), dtype=np.float32) / 255
    (by_shapes,) = network().run(None, {"ink": values[None, None]})[0]
    by_shapes = reduced * 2 ** float(by_shapes)
    return float(by_strokes ** (1 - NETWORK_SHARE) * by_shapes**NETWORK_SHARE)


def likely_factors(ink: Image.Image, smallest: float) -> list[float]:
    """By what the picture may be multiplied to look like the official ones, the likeliest first; at least `smallest`.

    The likeliest is a whole part, or an enlargement: a formula tells the size of its print within 10 % only, while
    printers and screens work at 100, 200, 300 dpi.
    """
    size = print_size(ink)
    if size < HALVED_BELOW:
        part = 1 if size < UNTOUCHED_BELOW else 2
    else:
        part = max(3, int(size + BENEFIT_OF_DOUBT))
    others = (near for near in range(1, int(size / SMALLEST_RATIO) + 1) if size / near < LARGEST_RATIO)
    factors = [1 / near for near in (part, *sorted(others, key=lambda near: abs(log(size / near))))]
    if size < PERHAPS_SMALL_BELOW:
        factors.insert(0 if size < ENLARGED_BELOW else 1, ENLARGEMENT)
    elif abs(log(size / part)) > log(BETWEEN):
        factors.insert(1, 1 / size)
    return list(dict.fromkeys(max(factor, smallest) for factor in factors))
