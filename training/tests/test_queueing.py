"""The queueing simulation behind docs/scaling.md agrees with the formulas that are known."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

FILE = Path(__file__).parents[2] / "tasks/queueing.py"
SPEC = importlib.util.spec_from_file_location("queueing", FILE)
queueing = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(queueing)


@pytest.mark.parametrize("load", [0.3, 0.6])
def test_the_mean_answer_time_is_that_of_pollaczek_and_khinchine(load):
    replicas = queueing.Replicas(1, rate=10.0, spread=0.6, queue=10_000)
    answers = queueing.simulate(replicas, load * 10, 60_000)
    wanted = 0.1 * (1 + load * (1 + 0.6**2) / (2 * (1 - load)))
    assert np.mean(answers.seconds) == pytest.approx(wanted, rel=0.05)
    assert answers.refused == 0


def test_a_full_house_refuses_what_it_cannot_read():
    answers = queueing.simulate(queueing.Replicas(2, rate=10.0), 40, 30_000)
    assert answers.refused == pytest.approx(0.5, abs=0.02)
    assert answers.percentile(99) < 33 / 10 * 1.6


def test_the_shorter_of_two_queues_holds_more_than_any():
    held = [queueing.most_requests(queueing.Replicas(8, 10.0, looks_at=looks_at), 0.5, 4_000) for looks_at in (1, 2)]
    assert 0.2 * 80 < held[0] < held[1] < 80


def test_answers_scale_with_the_rate():
    slow, fast = (queueing.simulate(queueing.Replicas(3, rate), 1.5 * rate, 5_000) for rate in (10.0, 20.0))
    assert fast.percentile(99) == pytest.approx(slow.percentile(99) / 2)
