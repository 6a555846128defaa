"""Confidences are probabilities: after fitting they come true as often as they say."""

import numpy as np
import pytest

from im2latex.calibration import (
    Calibration,
    expected_calibration_error,
    fit_logistic,
    formula_features,
    reliability,
    token_features,
)
from im2latex.errors import ConfigError


def test_the_error_is_the_mean_distance_of_confidence_from_share_right_in_percent():
    assert expected_calibration_error([0.9, 0.9, 0.9, 0.9, 0.1], [True, True, False, False, False]) == pytest.approx(
        100 * (0.8 * 0.4 + 0.2 * 0.1)
    )
    assert expected_calibration_error([1.0, 0.0], [True, False]) == 0


def test_bins_hold_mean_confidence_share_right_and_count():
    assert reliability([0.1, 0.2, 1.0], [False, True, True], bins=2) == [
        (pytest.approx(0.15), 0.5, 2), (1.0, 1.0, 1)
    ]  # fmt: skip


def test_fitting_makes_confidences_of_an_overconfident_model_come_true():
    rng = np.random.default_rng(0)
    doubts = [list(-rng.exponential(0.05, size=rng.integers(3, 80))) for _ in range(4000)]
    truth = [rng.random() < np.exp(3 * sum(logs)) for logs in doubts]
    weights = tuple(fit_logistic([formula_features(logs) for logs in doubts[::2]], truth[::2]))
    calibration = Calibration((0.0, 1.0), weights)
    before = expected_calibration_error([float(np.exp(sum(logs))) for logs in doubts[1::2]], truth[1::2])
    after = expected_calibration_error([calibration.of_formula(logs) for logs in doubts[1::2]], truth[1::2])
    assert after < 5 < before


def test_weights_of_the_identity_leave_a_token_as_it_is():
    calibration = Calibration((0.0, 1.0), (0.0,) * 5)
    assert calibration.of_token(np.log(0.3)) == pytest.approx(0.3)
    assert len(token_features(0.0)) == 2


@pytest.mark.parametrize("log_probs", [[], [0.0], [-1e9], [-50.0] * 300])
def test_a_confidence_is_finite_whatever_the_model_says(log_probs):
    assert 0 <= Calibration((0.0, 1.0), (1.0, -1.0, -1.0, -0.1, -0.1)).of_formula(log_probs) <= 1


def test_nothing_to_measure_is_a_mistake():
    with pytest.raises(ConfigError):
        expected_calibration_error([], [])
    with pytest.raises(ConfigError):
        fit_logistic([], [])
