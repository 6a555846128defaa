"""Calibration: from the model's probabilities to how often it is right; fitted on labelled pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log, log1p

import numpy as np

from im2latex.errors import ConfigError

_SMALLEST = 1e-6
"""Probabilities closer to 0 or 1 than this are taken as this far away."""


@dataclass(frozen=True)
class Calibration:
    """Two logistic models: one for a token, one for a whole formula."""

    token_weights: tuple[float, ...]
    """Of `token_features`."""
    formula_weights: tuple[float, ...]
    """Of `formula_features`."""

    def of_token(self, log_prob: float) -> float:
        """The probability that a token is right."""
        return _probability(self.token_weights, token_features(log_prob))

    def of_formula(self, log_probs: Sequence[float]) -> float:
        """The probability that a formula is exactly right, spacing aside; `log_probs` of its tokens and its end."""
        return _probability(self.formula_weights, formula_features(log_probs))


class Uncalibrated:
    """What a bundle without a calibration tells: the model's own probabilities."""

    def of_token(self, log_prob: float) -> float:
        """The probability of a token."""
        return exp(log_prob)

    def of_formula(self, log_probs: Sequence[float]) -> float:
        """The probability of a formula: that of its tokens and its end together; 0 of nothing."""
        return exp(sum(log_probs)) if log_probs else 0.0


def token_features(log_prob: float) -> list[float]:
    """1 and the logit of the model's probability: its weights are a shift and the inverse of a temperature."""
    probability = min(max(exp(log_prob), _SMALLEST), 1 - _SMALLEST)
    return [1.0, log(probability / (1 - probability))]


def formula_features(log_probs: Sequence[float]) -> list[float]:
    """1, the logarithms of length and doubt as a whole, and the doubts as a whole and about the least sure token."""
    doubts = [-max(log_prob, log(_SMALLEST)) for log_prob in log_probs] or [-log(_SMALLEST)]
    whole = sum(doubts)
    return [1.0, log1p(len(doubts)), log(whole + _SMALLEST), min(whole, 20.0), max(doubts)]


def fit_logistic(features: Sequence[Sequence[float]], are_right: Sequence[bool], ridge: float = 1e-2) -> list[float]:
    """The weights under which the outcomes are most probable, by Newton's method; ConfigError without an outcome."""
    if not features or len(features) != len(are_right):
        raise ConfigError(f"wanted an outcome for each of some features, got {len(are_right)} and {len(features)}")
    x, y = np.asarray(features, dtype=np.float64), np.asarray(are_right, dtype=np.float64)
    weights = np.zeros(x.shape[1])
    for _ in range(50):
        probabilities = 1 / (1 + np.exp(-np.clip(x @ weights, -50, 50)))
        gradient = x.T @ (probabilities - y) + ridge * weights
        curvature = (x * (probabilities * (1 - probabilities))[:, None]).T @ x + ridge * np.eye(x.shape[1])
        step = np.linalg.solve(curvature, gradient)
        weights -= step / max(1.0, float(np.abs(step).max()))
    return [float(weight) for weight in weights]


def expected_calibration_error(confidences: Sequence[float], are_right: Sequence[bool], bins: int = 15) -> float:
    """Mean distance, in percent, of confidence from share right, over bins of equal width, weighted by their size."""
    rows = reliability(confidences, are_right, bins)
    return 100 * sum(count * abs(mean - share) for mean, share, count in rows) / len(confidences)


def reliability(
    confidences: Sequence[float], are_right: Sequence[bool], bins: int = 15
) -> list[tuple[float, float, int]]:
    """Mean confidence, share right and count of every bin that is not empty; ConfigError where all are."""
    if not confidences or len(confidences) != len(are_right):
        raise ConfigError(f"wanted an outcome per confidence, got {len(are_right)} and {len(confidences)}")
    given, right = np.asarray(confidences, dtype=np.float64), np.asarray(are_right, dtype=np.float64)
    bin_of = np.minimum((given * bins).astype(int), bins - 1)
    chosen = [bin_of == number for number in range(bins)]
    return [(float(given[c].mean()), float(right[c].mean()), int(c.sum())) for c in chosen if c.any()]


def _probability(weights: Sequence[float], features: Sequence[float]) -> float:
    value = sum(weight * feature for weight, feature in zip(weights, features, strict=True))
    return 1 / (1 + exp(-min(max(value, -50.0), 50.0)))
