"""An LSTM cell that learns faster: its weights, used at every step of a formula, get their gradient in one product."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn


class TiedLSTMCell(nn.LSTMCell):
    """`nn.LSTMCell`, with the same weights; between `tied(...)` and the way back its steps share their products."""

    def __init__(self, inputs: int, units: int) -> None:
        super().__init__(inputs, units)
        self.products: Any = None

    def forward(  # the names of nn.LSTMCell
        self,
        input: Tensor,  # noqa: A002
        hx: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Inputs (B, I), hidden and cell (B, units) each, to the next hidden and cell."""
        assert hx is not None, "the state before the first token is the model's to choose"
        if self.products is not None and not torch.compiler.is_compiling():
            return self._step(input, hx)
        return torch.lstm_cell(input, hx, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)

    @torch.jit.unused
    def _step(self, inputs: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        of_inputs, of_hidden, bias = self.products
        gates = of_inputs(inputs) + of_hidden(state[0]) + bias
        gate_in, gate_forget, new, gate_out = gates.chunk(4, 1)
        cell = gate_forget.sigmoid() * state[1] + gate_in.sigmoid() * new.tanh()
        return gate_out.sigmoid() * cell.tanh(), cell


@contextmanager
def tied(model: nn.Module) -> Iterator[None]:
    """The LSTM cells of the model take the steps of one unrolled formula together, where gradients are wanted."""
    cells = [part for part in model.modules() if isinstance(part, TiedLSTMCell)] if torch.is_grad_enabled() else []
    for cell in cells:
        products = TiedProduct(cell.weight_ih), TiedProduct(cell.weight_hh)
        cell.products = (*products, (cell.bias_ih + cell.bias_hh).to(products[0].steps.weight.dtype))
    try:
        yield
    finally:
        for cell in cells:
            cell.products = None


class TiedProduct:
    """Products with one weight (O, I), one after the other; in the precision of autocast, where that is on.

    Autograd would make a gradient as large as the weight at every step, and add them up. Here the inputs and the
    gradients of the outputs are kept, and multiplied once, when the way back has passed the first step.
    """

    def __init__(self, weight: Tensor) -> None:
        device = weight.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weight.dtype
        self.steps = _Steps(weight.detach().to(dtype))
        self.anchor: Tensor = _Gather.apply(weight, self.steps)

    def __call__(self, inputs: Tensor) -> Tensor:
        """(B, I) to (B, O)."""
        product: Tensor = _Step.apply(inputs, self.anchor, self.steps)
        return product


@dataclass
class _Steps:
    """What the graph keeps of a product; nothing here may lead back to the graph, or neither would ever be freed."""

    weight: Tensor
    inputs: list[Tensor] = field(default_factory=list)
    gradients: dict[int, Tensor] = field(default_factory=dict)
    """Of the outputs, by the number of the step; a step that no loss depends on has none."""


class _Gather(torch.autograd.Function):
    """Every step depends on it, so the way back comes here last."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, steps: _Steps) -> Tensor:
        ctx.steps, ctx.dtype = steps, weight.dtype
        return weight.new_zeros(())

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> tuple[Tensor, None]:
        numbers = sorted(ctx.steps.gradients)
        gradients = torch.cat([ctx.steps.gradients[number] for number in numbers])
        inputs = torch.cat([ctx.steps.inputs[number] for number in numbers])
        return (gradients.T @ inputs).to(ctx.dtype), None


class _Step(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, anchor: Tensor, steps: _Steps) -> Tensor:
        ctx.steps, ctx.number, ctx.dtype = steps, len(steps.inputs), inputs.dtype
        steps.inputs.append(inputs.detach().to(steps.weight.dtype))
        return steps.inputs[-1] @ steps.weight.T

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        gradient = gradients[0].to(ctx.steps.weight.dtype)
        ctx.steps.gradients[ctx.number] = gradient
        return (gradient @ ctx.steps.weight).to(ctx.dtype), gradient.new_zeros(()), None
