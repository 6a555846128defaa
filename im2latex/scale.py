"""How large the print in a picture is, compared with the official look of IM2LATEX-100K (100 dpi, 12 pt)."""

import numpy as np
from PIL import Image

OFFICIAL_STROKE_PX = 1.24
"""What `print_size` divides by, so that the median of the 800 official pictures before they are halved is 2.0.

Halved, their median is 1.02 and the largest is below 1.62. `training/measure_scale.py` prints these figures.
"""

UNTOUCHED_BELOW = 1.62
"""Size from which print is shrunk. Of the official pictures before halving, 7 of 799 are below; of 800 pictures of
another renderer, smaller and bolder than the official look, 8 are above."""

BENEFIT_OF_DOUBT = 0.3
"""Sizes up to 2.7 count as 2: bold formulas measure larger than they are, and 200 dpi is more common than 300."""


def stroke_width(ink: Image.Image) -> float:
    """Width in px of the strokes in a picture ("L") of ink 255 on paper 0; hairlines measure less than 1.

    Twice the ink over the length of its contour. Each pixel of ink is weighted by its own darkness, so that a hairline
    which covers a third of its pixels measures 1/3. The contour is the total variation, corrected for slanted strokes.
    """
    values = np.pad(np.asarray(ink), 1).astype(np.float32) / 255
    contour = np.abs(np.diff(values, axis=0)).sum() + np.abs(np.diff(values, axis=1)).sum()
    return float(2 * np.square(values).sum() / max(float(contour) * np.pi / 4, 1e-6))


def print_size(ink: Image.Image) -> float:
    """Size of the print, 1 for the official look: the width of its strokes, sharpened by how it falls at half the size.

    Small bold print and large light print have strokes of one width; but halving takes more from the second, whose
    strokes fill their pixels. The second width doubles the pictures told apart (misses: 15 of 2,398 instead of 31).
    """
    width = stroke_width(ink)
    return width * width / max(stroke_width(ink.reduce(2)), 1e-6) / OFFICIAL_STROKE_PX


def shrink_factor(ink: Image.Image, smallest: float) -> float:
    """By what the picture is multiplied to look like the official ones: 1, 1/2, 1/3, ... but at least `smallest`.

    A whole part, because a formula's strokes tell its size within 10 % only, while printers and screens work at
    100, 200, 300 dpi. Nothing is enlarged: below the official size strokes no longer say how small the print is.
    """
    size = print_size(ink)
    if size < UNTOUCHED_BELOW:
        return 1.0
    return max(1 / max(2, int(size + BENEFIT_OF_DOUBT)), smallest)
