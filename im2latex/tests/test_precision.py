"""Which arithmetic is taken, where the machine has a choice."""

import pytest
import torch

from im2latex import precision


@pytest.mark.parametrize(("has", "bf16", "fp32", "taken"), [
    (True, 1.0, 2.0, "bf16-mixed"),
    (True, 2.0, 1.0, "32-true"),
    (False, 1.0, 2.0, "32-true"),
])  # fmt: skip
def test_bfloat16_is_taken_where_the_processor_has_it_and_gains_by_it(monkeypatch, has, bf16, fp32, taken):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(precision, "multiplies_bf16", lambda: has)
    monkeypatch.setattr(precision, "_seconds", lambda kind: bf16 if kind == torch.bfloat16 else fp32)
    assert precision.fast_precision() == taken


def test_the_cheapest_product_counts(monkeypatch):
    monkeypatch.setattr(precision, "TRIES", 3)
    monkeypatch.setattr(precision.time, "process_time", iter([0.0, 5.0, 10.0, 12.0, 20.0, 29.0]).__next__)
    assert precision._seconds(torch.float32) == 2.0
