"""Second look: print whose size is in doubt, and that is read with doubts, is read in its other sizes, too.

A wrong size shows: 81 of 8,475 pictures of another renderer were halved, and the mean log-probability of their tokens
was -0.35 in the median, as they are -0.07; official pictures have -0.06 (docs/experiments.md). It shows, too, where a
reading has lost its way in a long formula: a picture that is a little smaller or larger is then another chance.
"""

from collections.abc import Callable, Sequence

from torch import Tensor

from im2latex.decoding.repetition import is_repetitive
from im2latex.images import Prepared, resize
from im2latex.prediction import SAME, Prediction

DOUBT = -0.07
"""Mean log-probability of a token below which a reading leaves doubts, ..."""

LOST = -0.15
"""... and below which it may have lost its way, as it may if it goes round in circles."""

FACTORS = (0.8, 0.9, 1.1)
"""What a picture is then resized by."""

GAIN = 0.01
"""By how much surer another scale must be: what is read nearly as surely in both is more often right in the first."""

Scales = Sequence[Prepared]
"""A picture as a model sees it, in the scales that its print may be of, the likeliest first."""

Read = tuple[Prepared, Prediction]
"""A picture in the scale that it was read in, and what was read."""


def look_again(
    pictures: Sequence[Scales],
    found: Sequence[Prediction],
    predict: Callable[[list[Tensor]], Sequence[Prediction]],
) -> list[Read]:
    """The best reading of each picture: what was found in its likeliest scale or, if that leaves doubts, in another.

    The best is what looks most like the picture, if somebody looked, or else the surest. `predict` reads images; what
    it reads in circles is left aside where the first reading does not go round in circles.
    """
    reads = [[(scales[0], prediction)] for scales, prediction in zip(pictures, found, strict=True)]
    others = [
        (place, prepared)
        for place, (scales, prediction) in enumerate(zip(pictures, found, strict=True))
        for prepared in _others(scales, prediction)
    ]
    if others:
        again = predict([prepared.image for _, prepared in others])
        for (place, prepared), prediction in zip(others, again, strict=True):
            if not _circles(prediction) or _circles(found[place]):
                reads[place].append((prepared, prediction))
    return [max(each, key=lambda read: _worth(read[1], GAIN if read is each[0] else 0.0)) for each in reads]


def _others(scales: Scales, prediction: Prediction) -> list[Prepared]:
    """What else a picture is read in after such a prediction; `checker.py` resizes pictures itself."""
    if prediction.mean_log_prob >= DOUBT or (prediction.likeness or 0.0) >= SAME:
        return []
    drawn = prediction.likeness is not None
    resized = [resize(scales[0], factor) for factor in FACTORS] if not drawn and is_lost(prediction) else []
    return [*scales[1:], *resized]


def is_lost(prediction: Prediction) -> bool:
    """Whether a reading may have lost its way."""
    return prediction.mean_log_prob < LOST or _circles(prediction)


def _worth(prediction: Prediction, favour: float) -> tuple[float, float]:
    return prediction.likeness or 0.0, prediction.mean_log_prob + favour


def _circles(prediction: Prediction) -> bool:
    return is_repetitive(prediction.tokens.split())
