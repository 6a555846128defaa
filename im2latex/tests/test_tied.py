"""Promises of TiedLSTMCell: the values and the gradients of nn.LSTMCell, tied or not, also where steps are left out."""

import gc
import weakref

import pytest
import torch
from torch import Tensor, nn

from im2latex.models.tied import TiedLSTMCell, tied

STEPS, BATCH, INPUTS, UNITS = 5, 3, 4, 6


def unroll(cell: nn.Module, inputs: Tensor, counted: int) -> Tensor:
    """The sum of squares of the first `counted` hidden states, each fed with what was written before."""
    hidden = cell_state = inputs.new_zeros(BATCH, UNITS)
    written = []
    for step in inputs:
        hidden, cell_state = cell(step + hidden[:, :INPUTS], (hidden, cell_state))
        written.append(hidden)
    return torch.stack(written[:counted]).square().sum()


@pytest.mark.parametrize("counted", [STEPS, 2])
def test_steps_that_share_their_products_learn_what_lstm_cells_learn(counted):
    torch.manual_seed(0)
    plain, ours = nn.LSTMCell(INPUTS, UNITS).double(), TiedLSTMCell(INPUTS, UNITS).double()
    ours.load_state_dict(plain.state_dict())
    inputs = torch.randn(STEPS, BATCH, INPUTS, dtype=torch.double)
    theirs_in, ours_in = inputs.clone().requires_grad_(), inputs.clone().requires_grad_()
    wanted = unroll(plain, theirs_in, counted)
    with tied(ours):
        found = unroll(ours, ours_in, counted)
    wanted.backward()
    found.backward()
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(ours_in.grad, theirs_in.grad)
    for name, parameter in plain.named_parameters():
        torch.testing.assert_close(ours.get_parameter(name).grad, parameter.grad, msg=name)


def test_cells_that_are_not_tied_any_more_compute_as_before():
    cell = TiedLSTMCell(INPUTS, UNITS)
    inputs = torch.randn(STEPS, BATCH, INPUTS)
    before = unroll(cell, inputs, STEPS)
    with tied(cell):
        unroll(cell, inputs, STEPS)
    assert torch.equal(unroll(cell, inputs, STEPS), before)
    with torch.no_grad(), tied(cell):
        assert cell.products is None


@pytest.mark.parametrize("learns", [True, False])
def test_nothing_of_a_formula_is_kept_when_it_is_done(learns):
    cell = TiedLSTMCell(INPUTS, UNITS)
    with tied(cell):
        loss = unroll(cell, torch.randn(STEPS, BATCH, INPUTS), STEPS)
        kept = [weakref.ref(product.steps) for product in cell.products[:2]]
    if learns:
        loss.backward()
    assert all(each() is not None for each in kept)
    del loss
    gc.collect()
    assert all(each() is None for each in kept)


def test_bfloat16_gives_gradients_of_the_weights_own_precision():
    cell = TiedLSTMCell(INPUTS, UNITS)
    with torch.autocast("cpu", torch.bfloat16), tied(cell):
        unroll(cell, torch.randn(STEPS, BATCH, INPUTS), STEPS).backward()
    assert cell.weight_ih.grad is not None
    assert cell.weight_ih.grad.dtype == torch.float32
    assert cell.weight_ih.grad.abs().sum() > 0
