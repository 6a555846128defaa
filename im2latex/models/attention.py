"""Additive attention: a small network compares what is being written with every cell of the memory."""

import torch
from torch import Tensor, nn


class AdditiveAttention(nn.Module):
    """Soft attention (Bahdanau et al. 2015, arXiv 1409.0473, appendix A.1.2).

    tanh x is 2 sigmoid(2 x) - 1, and the 1 adds the same to the score of every cell: the weights are those of tanh. A
    processor computes the sigmoid of bfloat16 much sooner (docs/experiments.md).
    """

    def __init__(self, memory_channels: int, query_channels: int, units: int) -> None:
        super().__init__()
        self.of_memory = nn.Linear(memory_channels, units)
        self.of_query = nn.Linear(query_channels, units, bias=False)
        self.score = nn.Linear(units, 1, bias=False)

    def project_memory(self, memory: Tensor) -> Tensor:
        """Keys (B, S, units) of the memory (B, S, D), twofold: done once a picture, not once a token."""
        keys: Tensor = 2 * self.of_memory(memory)
        return keys

    def forward(self, query: Tensor, keys: Tensor, memory: Tensor, padding: Tensor) -> tuple[Tensor, Tensor]:
        """The part of the memory that the query (B, Q) looks at, (B, D), and weights (B, S) that sum to 1.

        `padding` is what `padding_scores` gave for the memory.
        """
        mixed = torch.sigmoid(keys + 2 * self.of_query(query).unsqueeze(1))  # (B, S, units)
        weights = (2 * self.score(mixed).squeeze(2) + padding).softmax(-1)
        return weighted_mean(weights, memory), weights


def padding_scores(memory: Tensor, cells: Tensor | None) -> Tensor:
    """What to add to the scores (B, S) of a memory's cells: 0, and minus infinity beyond the first `cells` (B,)."""
    scores = memory.new_zeros(memory.shape[:2])
    if cells is not None:
        places = torch.arange(memory.shape[1], device=memory.device)
        scores = scores.masked_fill(places >= cells.unsqueeze(1), float("-inf"))
    return scores


def mean_cell(memory: Tensor, cells: Tensor | None) -> Tensor:
    """The mean (B, D) of a memory (B, S, D) over its first `cells` (B,), None for all; the cells beyond are zero."""
    if cells is None:
        return memory.mean(1)
    return memory.sum(1) / cells.unsqueeze(1)


def weighted_mean(weights: Tensor, memory: Tensor) -> Tensor:
    """The cells of the memory (B, S, D) by their weights (B, S): (B, D)."""
    return torch.bmm(weights.unsqueeze(1).to(memory.dtype), memory).squeeze(1)
