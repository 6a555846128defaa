"""The least time this machine could take for the same work: what must be read from memory, and what must be multiplied.

A token costs at least one reading of the weights it passes and of the keys and values of its formula, at the measured
bandwidth, and its multiply-adds, at the measured rate of a matrix product; the larger of the two counts. Formulas that
run together share the weights. A picture costs the multiply-adds of its encoder.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from im2latex.models import ResNetTransformer
from training.benchmark_training import matrix_rate

BYTES = 4
"""Of a number in float32."""
READ_BYTES = 2**28
"""How much memory is read to measure the bandwidth: more than any cache holds."""


@dataclass(frozen=True)
class Machine:
    """What a processor can do with so many threads."""

    threads: int
    multiply_adds: float
    """A second, in a large float32 matrix product."""
    bandwidth: float
    """Bytes a second that are read from memory."""


@dataclass(frozen=True)
class Sizes:
    """What a model must read and multiply; counts of numbers, each of which meets one multiply-add."""

    weights: int
    """Weights that a token passes."""
    memory_cell: int
    """Keys and values of a cell of the memory, which heads may share."""
    past_token: int
    """Keys and values of a token already written; as many multiply-adds take all heads for it, or for a cell."""


def measure_machine(threads: int) -> Machine:
    """Both figures are the best of some attempts: other work on the machine only makes them lower."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        numbers = torch.ones(READ_BYTES // BYTES)
        seconds = min(_seconds_of_sum(numbers) for _ in range(5))
        rate = max(matrix_rate(torch.device("cpu"), bf16=False) for _ in range(3))
    finally:
        torch.set_num_threads(before)
    return Machine(threads, rate * 1e9, READ_BYTES / seconds)


def _seconds_of_sum(numbers: Tensor) -> float:
    started = time.perf_counter()
    numbers.sum()
    return time.perf_counter() - started


def count_sizes(model: ResNetTransformer) -> Sizes:
    """What a step of the model reads."""
    passed = [weight for name, weight in model.layers.named_parameters() if "memory_kv" not in name]
    keys_and_values = 2 * len(model.layers) * model.d_model
    of_memory = keys_and_values * model.memory_heads // model.heads
    weights = sum(weight.numel() for weight in passed) + model.embedding.weight.numel()
    return Sizes(weights, of_memory, keys_and_values)


def count_encoding(model: nn.Module, size: tuple[int, int]) -> int:
    """Multiply-adds of a picture before its first token; `model` may lie on the device `meta`."""
    device = next(model.parameters()).device
    counter = FlopCounterMode(display=False)
    with counter, torch.inference_mode():
        model.start(model.encode(torch.zeros(1, 1, *size, device=device)))  # type: ignore[operator]
    return int(counter.get_total_flops()) // 2


def least_seconds(
    machine: Machine, sizes: Sizes, encoding: Sequence[int], cells: Sequence[int], tokens: Sequence[int]
) -> float:
    """For pictures that run together, by the multiply-adds of their encoding, their cells, and their tokens."""
    seconds = sum(encoding) / machine.multiply_adds
    for time_step in range(max(tokens)):
        going = [place for place, count in enumerate(tokens) if count > time_step]
        caches = sum(sizes.memory_cell * cells[place] + sizes.past_token * (time_step + 1) for place in going)
        looks = sum(sizes.past_token * (cells[place] + time_step + 1) for place in going)  # every head looks for itself
        read = BYTES * (sizes.weights + caches)
        multiplied = len(going) * sizes.weights + looks
        seconds += max(read / machine.bandwidth, multiplied / machine.multiply_adds)
    return seconds
