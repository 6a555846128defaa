"""CNN + GRU with Bahdanau attention: three convolutions with 2-D positions, and a GRU that looks before it writes.

As in notebooks of 2019 that grew from TensorFlow's tutorial on captions ("Show, attend and tell"): attention is asked
with the state before the token, and two dense layers without anything between them make the logits. He's initialization
of the convolutions is ours.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from im2latex.errors import ConfigError
from im2latex.models.attention import AdditiveAttention, padding_scores
from im2latex.models.positions import positions_2d
from im2latex.models.protocol import ModelConfig
from im2latex.models.recurrent import RecurrentModel, initialize


@dataclass(frozen=True)
class CnnGruConfig(ModelConfig):
    """Sizes as in the notebooks: 2.5 M parameters with 500 tokens."""

    name: ClassVar[str] = "cnn_gru"
    widths: tuple[int, int, int] = (64, 256, 512)
    """Channels of the convolutions; each is followed by 2 x 2 pooling."""
    embedding: int = 256
    """Of a token, and of a cell of the picture."""
    units: int = 256
    """Units of the GRU, of attention and of the first dense layer."""

    def build(self, vocab_size: int) -> "CnnGru":
        return CnnGru(self, vocab_size)


class CnnGru(RecurrentModel):
    """Speaks the words of every formula model; state: hidden, memory, keys, padding."""

    def __init__(self, config: CnnGruConfig, vocab_size: int) -> None:
        super().__init__(vocab_size, config.embedding)
        if config.widths[-1] % 4:
            raise ConfigError(f"the last of widths must be divisible by 4, got {config.widths}")
        self.units = config.units
        self.convolutions = _convolutions(config.widths)
        initialize(self.convolutions)
        self.cell_projection = nn.Linear(config.widths[-1], config.embedding)
        self.attention: Any = AdditiveAttention(config.embedding, config.units, config.units)
        self.gru: Any = nn.GRUCell(2 * config.embedding, config.units)
        self.dense = nn.Linear(config.units, config.units)
        self.output = nn.Linear(config.units, vocab_size)

    def features(self, images: Tensor) -> Tensor:
        """Images (B, 1, H, W), ink 1 on paper 0, to features (B, 512, H / 8, W / 8), rounded up."""
        found: Tensor = self.convolutions(images)
        return found

    def grid(self, images: Tensor) -> Tensor:
        """Cells (B, H / 8, W / 8, embedding) that know where they lie."""
        features = self.features(images).permute(0, 2, 3, 1)  # (B, h, w, 512)
        height, width, channels = features.shape[1:]
        placed = features + positions_2d(height, width, channels, images.device).to(features.dtype)
        cells: Tensor = torch.relu(self.cell_projection(placed))
        return cells

    def start(self, memory: Tensor, cells: Tensor | None = None) -> list[Tensor]:
        """State before the first token: nothing but the picture; batch first."""
        hidden = memory.new_zeros((memory.shape[0], self.units))
        return [hidden, memory, self.attention.project_memory(memory), padding_scores(memory, cells)]

    def advance(self, embedded: Tensor, state: list[Tensor]) -> tuple[Tensor, Tensor, list[Tensor]]:
        """The GRU reads the token and what it now looks at: hidden (B, units), weights (B, S), state."""
        memory, keys, padding = state[1], state[2], state[3]
        context, weights = self.attention(state[0], keys, memory, padding)
        hidden = self.gru(torch.cat([context, embedded], 1), state[0])
        return hidden, weights, [hidden, memory, keys, padding]

    def logits(self, hidden: Tensor) -> Tensor:
        """Logits (..., V) from hidden states (..., units)."""
        scores: Tensor = self.output(self.dense(hidden))
        return scores


def _convolutions(widths: tuple[int, ...]) -> nn.Sequential:
    parts: list[nn.Module] = []
    before = 1
    for channels in widths:
        parts += [nn.Conv2d(before, channels, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2, ceil_mode=True)]
        before = channels
    return nn.Sequential(*parts)
