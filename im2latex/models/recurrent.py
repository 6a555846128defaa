"""What the recurrent models share: a formula unrolled token by token, with a look at the picture for every token."""

from typing import Any

import torch
from torch import Tensor, nn


class RecurrentModel(nn.Module):
    """Speaks the words of every formula model through five of its own: features, grid, start, advance, logits."""

    def __init__(self, vocab_size: int, embedding: int) -> None:
        super().__init__()
        self.embedding: Any = nn.Embedding(vocab_size, embedding)

    def features(self, images: Tensor) -> Tensor:
        """What the convolutions make of images (B, 1, H, W), ink 1 on paper 0: maps (B, C, h, w)."""
        raise NotImplementedError

    def grid(self, images: Tensor) -> Tensor:
        """What attention looks at: cells (B, h, w, D), the top row first."""
        raise NotImplementedError

    def start(self, memory: Tensor, cells: Tensor | None = None) -> list[Tensor]:
        """State before the first token, batch first; it carries the memory with it.

        Where pictures of several sizes run together, memories have `cells` (B,) each and are filled up with zeros.
        """
        raise NotImplementedError

    def advance(self, embedded: Tensor, state: list[Tensor]) -> tuple[Tensor, Tensor, list[Tensor]]:
        """After a token, embedded (B, E): what its successor is guessed from (B, O), weights (B, S), next state."""
        raise NotImplementedError

    def logits(self, hidden: Tensor) -> Tensor:
        """Logits (..., V) from what `advance` gave, (..., O)."""
        raise NotImplementedError

    def encode(self, images: Tensor) -> Tensor:
        """Images (B, 1, H, W), ink 1 on paper 0, to a memory (B, S, D); its cells row by row."""
        memory: Tensor = self.grid(images).flatten(1, 2)
        return memory

    def decode(self, token_ids: Tensor, memory: Tensor) -> Tensor:
        """Logits (B, T, V) of the token after each of `token_ids` (B, T), which begin with BOS: teacher forcing."""
        return self.logits(self.unroll(token_ids, memory)[0])

    def step(self, token_ids: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Logits (B, V) of the token after `token_ids` (B,), the newest of each formula, and the next state."""
        hidden, _, after = self.advance(self.embedding(token_ids), state)
        return self.logits(hidden), after

    def attend(self, images: Tensor, token_ids: Tensor) -> Tensor:
        """Where the model looks (B, T, h, w) for the token after each of `token_ids` (B, T)."""
        return self.look(token_ids, self.grid(images))

    def look(self, token_ids: Tensor, grid: Tensor) -> Tensor:
        """Weights (B, T, h, w) of the cells of a grid (B, h, w, D), in float32."""
        weights = self.unroll(token_ids, grid.flatten(1, 2))[1]  # (B, T, S)
        return weights.float().view(weights.shape[0], weights.shape[1], grid.shape[1], grid.shape[2])

    def unroll(self, token_ids: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """What `advance` gives for each of `token_ids` (B, T): (B, T, O), and weights (B, T, S)."""
        embedded = self.embedding(token_ids)  # (B, T, E)
        state = self.start(memory)
        written: list[Tensor] = []
        looks: list[Tensor] = []
        for time in range(token_ids.shape[1]):
            hidden, weights, state = self.advance(embedded[:, time], state)
            written.append(hidden)
            looks.append(weights)
        return torch.stack(written, 1), torch.stack(looks, 1)


def initialize(convolutions: nn.Module) -> None:
    """He's initialization (2015, arXiv 1502.01852): features as strong as the positions that are added to them.

    With PyTorch's own they are far fainter, and attention was seen to look at no symbol (docs/experiments.md).
    """
    for part in convolutions.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
