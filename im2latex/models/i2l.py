"""I2L-STRIPS and I2L-NOPOOL: a stack of LSTMs conditioned on soft attention, over strips of the picture or all cells.

After Singh 2018 (arXiv 1802.05415) and the author's code (github.com/untrix/im2latex): sizes, tanh everywhere, initial
state model, deep output layer and attention regularisation are theirs. Where their net needs pictures of one size, ours
takes any: attention shares its weights over the cells, each with its 2-D position, where theirs has weights for each
place; and the initial state model sees the mean cell, not all of them. As there, only attention knows places: added to
the cells, they were a constant so strong that LSTMs saturated (docs/experiments.md). The LSTMs have no peepholes, and
the convolutions begin with He's initialization.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from im2latex.errors import ConfigError
from im2latex.models.attention import mean_cell, padding_scores, weighted_mean
from im2latex.models.positions import positions_2d
from im2latex.models.protocol import ModelConfig
from im2latex.models.recurrent import RecurrentModel, initialize
from im2latex.models.tied import TiedLSTMCell
from im2latex.tokenizer import EOS, PAD

PLACE = 64
"""Channels of a cell's position, which follow its features."""


@dataclass(frozen=True)
class I2LNoPoolConfig(ModelConfig):
    """Sizes as in the paper: 36.7 M parameters with 500 tokens."""

    name: ClassVar[str] = "i2l_nopool"
    widths: tuple[int, int, int, int, int] = (64, 128, 256, 512, 512)
    """Channels of the convolutions."""
    pools: int = 5
    """So many are followed by 2 x 2 pooling: 5 makes cells of 32 x 32 pixels, 4 of 16 x 16. The net of the paper takes
    pictures of 1,088 x 128 pixels, about twice the scale of ours; 4 gives a symbol as many cells as there."""
    strip: int = 1
    """Rows of cells that are joined into one before attention."""
    embedding: int = 64
    units: int = 1500
    """Units of each LSTM."""
    layers: int = 2
    """LSTMs in the stack."""
    attention: tuple[int, int] = (256, 128)
    """Units of the two hidden layers of attention."""
    initial: int = 100
    """Units of the hidden layer of the initial state model."""
    deep: int = 358
    """Units of the two hidden layers before the logits."""
    attention_penalty: float = 0.0
    """Weight of attention regularisation, lambda_A; the author's code has 0, and tries 0.0001 to 0.05."""

    def build(self, vocab_size: int) -> "I2L":
        return I2L(self, vocab_size)


@dataclass(frozen=True)
class I2LStripsConfig(I2LNoPoolConfig):
    """I2L-NOPOOL, but four rows of cells make one: 47.0 M parameters with 500 tokens."""

    name: ClassVar[str] = "i2l_strips"
    strip: int = 4


class I2L(RecurrentModel):
    """Speaks the words of every formula model; state: hidden and cell of each LSTM, memory, keys, padding."""

    def __init__(self, config: I2LNoPoolConfig, vocab_size: int) -> None:
        super().__init__(vocab_size, config.embedding)
        cells = config.widths[-1] * config.strip
        if not 1 <= config.pools <= len(config.widths) or config.strip < 1 or config.layers < 1 or cells % 4:
            raise ConfigError(
                f"wanted pools from 1 to {len(config.widths)}, strip and layers of at least 1, and channels "
                f"divisible by 4; got {config.pools}, {config.strip}, {config.layers} and {cells}"
            )
        self.channels, self.place = cells, PLACE
        self.strip, self.layers, self.stride = config.strip, config.layers, 2**config.pools
        self.attention_penalty = config.attention_penalty
        self.convolutions = _convolutions(config.widths, config.pools)
        initialize(self.convolutions)
        self.attention: Any = StackedAttention(cells + PLACE, config.units, config.attention)
        self.initial_hidden = nn.Linear(cells, config.initial)
        self.initial_state = nn.Linear(config.initial, 2 * config.layers * config.units)
        inputs = [config.embedding + cells] + [config.units] * (config.layers - 1)
        self.stack: Any = nn.ModuleList(TiedLSTMCell(size, config.units) for size in inputs)
        self.deep: Any = nn.Sequential(
            *(nn.Linear(config.embedding + config.units + cells, config.deep), nn.Tanh()),
            *(nn.Linear(config.deep, config.deep), nn.Tanh()),
        )
        self.output = nn.Linear(config.deep, vocab_size)

    def features(self, images: Tensor) -> Tensor:
        """Images (B, 1, H, W), ink 1 on paper 0, to features (B, 512, H / stride, W / stride), rounded up."""
        found: Tensor = self.convolutions(images)
        return found

    def grid(self, images: Tensor) -> Tensor:
        """Cells (B, h / strip, w, 512 * strip + PLACE), `strip` rows in each; below the picture the rows are zero."""
        features = self.features(images)
        features = F.pad(features, (0, 0, 0, -features.shape[2] % self.strip))
        batch, channels, height, width = features.shape
        strips = features.reshape(batch, channels, height // self.strip, self.strip, width)
        cells = strips.permute(0, 2, 4, 3, 1).flatten(3)  # (B, h / strip, w, strip * 512)
        places = positions_2d(cells.shape[1], cells.shape[2], self.place, images.device).to(cells.dtype)
        return torch.cat([cells, places.expand(batch, -1, -1, -1)], 3)

    def start(self, memory: Tensor, cells: Tensor | None = None) -> list[Tensor]:
        """State before the first token, by the initial state model from the mean cell; batch first."""
        hidden = torch.tanh(self.initial_hidden(mean_cell(memory, cells)[:, : self.channels]))
        state = list(torch.tanh(self.initial_state(hidden)).chunk(2 * self.layers, dim=1))  # (B, units) each
        state += [memory, self.attention.project_memory(memory), padding_scores(memory, cells)]
        return state

    def advance(self, embedded: Tensor, state: list[Tensor]) -> tuple[Tensor, Tensor, list[Tensor]]:
        """The stack reads the token and what its top looks at: (B, embedding + units + D), weights (B, S), state."""
        memory, keys, padding = state[-3], state[-2], state[-1]
        looked_at, weights = self.attention(state[2 * self.layers - 2], keys, memory, padding)
        context = looked_at[:, : self.channels]
        hidden = torch.cat([embedded, context], 1)
        after: list[Tensor] = []
        for index, lstm in enumerate(self.stack):
            hidden, cell = lstm(hidden, (state[2 * index], state[2 * index + 1]))
            after += [hidden, cell]
        after += [memory, keys, padding]
        return torch.cat([embedded, hidden, context], 1), weights, after

    def logits(self, hidden: Tensor) -> Tensor:
        """Logits (..., V) from token, top of the stack and context (..., embedding + units + D): deep output."""
        scores: Tensor = self.output(self.deep(hidden))
        return scores

    def attend(self, images: Tensor, token_ids: Tensor) -> Tensor:
        """Where the model looks (B, T, h, w) for each token after `token_ids`; the rows of a strip share its weight."""
        grid = self.grid(images)
        weights = self.look(token_ids, grid)  # (B, T, h / strip, w)
        rows = -(-images.shape[2] // self.stride)  # of them the lowest strip may have fewer than the others
        in_strip = (rows - torch.arange(grid.shape[1], device=images.device) * self.strip).clamp(max=self.strip)
        shared: Tensor = (weights / in_strip.view(1, 1, -1, 1)).repeat_interleave(self.strip, 2)
        return shared[:, :, :rows]

    def decode_and_penalise(self, token_ids: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, T, V), and attention regularisation: every cell should be looked at equally, over a formula.

        lambda_A times the sum over cells of (its weights summed over the formula - tokens / cells) squared, the mean of
        the batch (the paper's loss; Xu et al. 2015 wanted 1 in place of tokens / cells).
        """
        hidden, weights = self.unroll(token_ids, memory)
        counted = token_ids.ne(PAD) & token_ids.ne(EOS)  # (B, T): where there is a token to guess
        looked = (weights.float() * counted.unsqueeze(2)).sum(1)  # (B, S)
        even = counted.sum(1, keepdim=True) / memory.shape[1]
        penalty = (looked - even).square().sum(1).mean()
        return self.logits(hidden), self.attention_penalty * penalty


class StackedAttention(nn.Module):
    """Soft attention by a network of two hidden layers, tanh, with the same weights for every cell."""

    def __init__(self, memory_channels: int, query_channels: int, units: tuple[int, int]) -> None:
        super().__init__()
        self.of_memory = nn.Linear(memory_channels, units[0])
        self.of_query = nn.Linear(query_channels, units[0], bias=False)
        self.second = nn.Linear(units[0], units[1])
        self.score = nn.Linear(units[1], 1, bias=False)

    def project_memory(self, memory: Tensor) -> Tensor:
        """The first layer's share (B, S, units) of the memory (B, S, D): done once a picture, not once a token."""
        keys: Tensor = self.of_memory(memory)
        return keys

    def forward(self, query: Tensor, keys: Tensor, memory: Tensor, padding: Tensor) -> tuple[Tensor, Tensor]:
        """What `AdditiveAttention` gives: the part (B, D) of the memory that is looked at, and weights (B, S)."""
        first = torch.tanh(keys + self.of_query(query).unsqueeze(1))  # (B, S, units)
        weights = (self.score(torch.tanh(self.second(first))).squeeze(2) + padding).softmax(-1)
        return weighted_mean(weights, memory), weights


def _convolutions(widths: tuple[int, ...], pools: int) -> nn.Sequential:
    parts: list[nn.Module] = []
    before = 1
    for place, channels in enumerate(widths):
        parts += [nn.Conv2d(before, channels, 3, padding=1)]
        parts += [nn.MaxPool2d(2, ceil_mode=True)] if place < pools else []
        parts += [nn.Tanh()]  # tanh of the greatest is the greatest tanh: here it has a quarter of the work
        before = channels
    return nn.Sequential(*parts)
