"""CNN + LSTM: convolutional features, every row read both ways, an LSTM decoder that is fed what it wrote.

What you get is what you see (Deng et al. 2017, arXiv 1609.04938, section 4), with the start of the decoder from its
PyTorch ports (github.com/luopeixiang/im2latex): a linear map of the mean cell, where the paper says nothing.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from im2latex.models.attention import AdditiveAttention, mean_cell, padding_scores
from im2latex.models.protocol import ModelConfig
from im2latex.models.recurrent import RecurrentModel
from im2latex.models.tied import TiedLSTMCell

LAYERS = ((False, (2, 2)), (False, (2, 2)), (True, (1, 1)), (False, (1, 2)), (True, (2, 1)), (True, (1, 1)))
"""Of each convolution: is it normalised, height and width of the pooling after it; so a cell is 8 x 8 pixels."""
MAX_ROWS = 64
"""Rows of cells that have a start of their own; those below share the last one."""


@dataclass(frozen=True)
class CnnLstmConfig(ModelConfig):
    """Sizes as in the paper: 10.5 M parameters with 500 tokens."""

    name: ClassVar[str] = "cnn_lstm"
    widths: tuple[int, int, int, int, int, int] = (64, 128, 256, 256, 512, 512)
    """Channels of the convolutions."""
    row_units: int = 256
    """Units of the row encoder, in each direction."""
    embedding: int = 80
    units: int = 512
    """Units of the decoder."""
    attention: int = 512
    output_dropout: float = 0.0
    """Share of the outputs, which are fed back, that is dropped in training."""

    def build(self, vocab_size: int) -> "CnnLstm":
        return CnnLstm(self, vocab_size)


class CnnLstm(RecurrentModel):
    """Speaks the words of every formula model; state: hidden, cell, output fed back, memory, keys, padding."""

    def __init__(self, config: CnnLstmConfig, vocab_size: int) -> None:
        super().__init__(vocab_size, config.embedding)
        cells = 2 * config.row_units
        self.output_dropout = config.output_dropout
        self.row_units = config.row_units
        self.convolutions = _convolutions(config.widths)
        self.row_embedding = nn.Embedding(MAX_ROWS, 4 * config.row_units)  # hidden and cell, both ways
        self.row_encoder = nn.LSTM(config.widths[-1], config.row_units, batch_first=True, bidirectional=True)
        self.initial = nn.Linear(cells, 3 * config.units)  # hidden, cell, output fed back
        self.lstm: Any = TiedLSTMCell(config.embedding + config.units, config.units)
        self.attention: Any = AdditiveAttention(cells, config.units, config.attention)
        self.combine = nn.Linear(config.units + cells, config.units, bias=False)
        self.output = nn.Linear(config.units, vocab_size)

    def features(self, images: Tensor) -> Tensor:
        """Images (B, 1, H, W), ink 1 on paper 0, to features (B, 512, H / 8, W / 8), rounded up."""
        found: Tensor = self.convolutions(images)
        return found

    def grid(self, images: Tensor) -> Tensor:
        """Cells (B, H / 8, W / 8, 2 * row_units) that know what stands beside them and in which row they are."""
        features = self.features(images).permute(0, 2, 3, 1)  # (B, h, w, 512)
        batch, height, width, channels = features.shape
        places = torch.arange(height, device=images.device).clamp(max=self.row_embedding.num_embeddings - 1)
        rows = features.reshape(batch * height, width, channels)
        begin = self.row_embedding(places).to(rows.dtype).view(height, 4, self.row_units)
        begin = begin.repeat(batch, 1, 1).transpose(0, 1)  # (4, B * h, row_units)
        read, _ = self.row_encoder(rows, (begin[:2].contiguous(), begin[2:].contiguous()))
        cells: Tensor = read.reshape(batch, height, width, 2 * self.row_units)
        return cells

    def start(self, memory: Tensor, cells: Tensor | None = None) -> list[Tensor]:
        """State before the first token, from the mean cell; batch first."""
        begin = torch.tanh(self.initial(mean_cell(memory, cells)))
        hidden, cell, output = begin.chunk(3, dim=1)  # (B, units) each
        return [hidden, cell, output, memory, self.attention.project_memory(memory), padding_scores(memory, cells)]

    def advance(self, embedded: Tensor, state: list[Tensor]) -> tuple[Tensor, Tensor, list[Tensor]]:
        """The LSTM reads the token and its own last output, then looks: output (B, units), weights (B, S), state."""
        memory, keys, padding = state[3], state[4], state[5]
        hidden, cell = self.lstm(torch.cat([embedded, state[2]], 1), (state[0], state[1]))
        context, weights = self.attention(hidden, keys, memory, padding)
        output = torch.tanh(self.combine(torch.cat([hidden, context], 1)))
        output = F.dropout(output, self.output_dropout, self.training)
        return output, weights, [hidden, cell, output, memory, keys, padding]

    def logits(self, hidden: Tensor) -> Tensor:
        """Logits (..., V) from outputs (..., units)."""
        scores: Tensor = self.output(hidden)
        return scores


def _convolutions(widths: tuple[int, ...]) -> nn.Sequential:
    """The table of the paper; its last convolution is padded here, so that the flattest picture keeps its rows."""
    parts: list[nn.Module] = []
    before = 1
    for channels, (normed, pool) in zip(widths, LAYERS, strict=True):
        parts.append(nn.Conv2d(before, channels, 3, padding=1, bias=not normed))
        parts += [nn.BatchNorm2d(channels)] if normed else []
        parts.append(nn.ReLU(inplace=True))
        parts += [nn.MaxPool2d(pool, pool, ceil_mode=True)] if max(pool) > 1 else []
        before = channels
    return nn.Sequential(*parts)
