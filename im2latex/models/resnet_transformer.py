"""ResNetTransformer: convolutional features with 2-D positions, read by a Transformer decoder."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from im2latex.errors import ConfigError
from im2latex.models.attention import padding_scores
from im2latex.models.positions import positions_1d, positions_2d
from im2latex.models.protocol import ModelConfig
from im2latex.models.resnet import ResNetTrunk
from im2latex.models.transformer import DecoderLayer

ROOM = 32
"""Tokens for which keys and values have room at first; it is doubled when it is full."""


@dataclass(frozen=True)
class ResNetTransformerConfig(ModelConfig):
    """Sizes of the model; the defaults make about 7 M parameters."""

    name: ClassVar[str] = "resnet_transformer"
    trunk_blocks: tuple[int, int, int] = (2, 2, 1)
    d_model: int = 256
    heads: int = 4
    memory_heads: int | None = None
    """Keys and values of the memory, each shared by heads / memory_heads of the heads (grouped-query attention, Ainslie
    et al. 2023, arXiv 2305.13245; 1: multi-query, Shazeer 2019, arXiv 1911.02150); None: as many as heads."""
    decoder_layers: int = 4
    feedforward: int = 1536
    dropout: float = 0.1

    def build(self, vocab_size: int) -> "ResNetTransformer":
        return ResNetTransformer(self, vocab_size)


class ResNetTransformer(nn.Module):
    """Speaks the words of every formula model: encode, decode, start, step, attend, features."""

    def __init__(self, config: ResNetTransformerConfig, vocab_size: int) -> None:
        super().__init__()
        if config.d_model % 4 or config.d_model % config.heads:
            raise ConfigError(
                f"d_model must be divisible by 4 and by heads ({config.heads}), got {config.d_model}"
            )
        if config.heads % (config.memory_heads or config.heads):
            raise ConfigError(f"heads ({config.heads}) must be divisible by memory_heads, got {config.memory_heads}")
        self.d_model = config.d_model
        self.heads, self.memory_heads = config.heads, config.memory_heads or config.heads
        self.fixed = 2 * config.decoder_layers + 1  # the memory's part of the state: a row a picture
        self.room = ROOM
        self.trunk = ResNetTrunk(config.trunk_blocks)
        self.memory_projection = nn.Linear(self.trunk.out_channels, config.d_model)
        self.memory_norm = nn.LayerNorm(config.d_model)
        self.embedding = nn.Embedding(vocab_size, config.d_model)
        self.layers: Any = nn.ModuleList(
            DecoderLayer(config.d_model, config.heads, config.feedforward, config.dropout, config.memory_heads)
            for _ in range(config.decoder_layers)
        )
        self.final_norm = nn.LayerNorm(config.d_model)
        self.output_bias = nn.Parameter(torch.zeros(vocab_size))
        nn.init.normal_(self.embedding.weight, std=config.d_model**-0.5)

    def adapt(self, name: str, weight: Tensor) -> Tensor:
        """Heads that share keys and values of the memory here begin with their mean (Ainslie et al. 2023, section 2.1).

        A weight of a model with as few memory_heads, or fewer, stays as it is.
        """
        width = self.d_model // self.heads
        if "memory_kv" not in name or weight.shape[0] % (2 * self.memory_heads * width):
            return weight
        by_head = weight.view(2, self.memory_heads, -1, width, *weight.shape[1:])  # keys and values, who share them
        return by_head.mean(2).flatten(0, 2)

    def encode(self, images: Tensor) -> Tensor:
        """Images (B, 1, H, W), ink 1 on paper 0, to a memory (B, S, D); S = ceil(H / 8) * ceil(W / 8), row by row."""
        memory: Tensor = self._grid(images).flatten(1, 2)
        return memory

    def decode(self, token_ids: Tensor, memory: Tensor) -> Tensor:
        """Logits (B, T, V) of the token after each of `token_ids` (B, T), which begin with BOS: teacher forcing."""
        hidden = self._embed(token_ids, 0)  # (B, T, D)
        for layer in self.layers:
            memory_k, memory_v = layer.project_memory(memory)
            hidden = layer(hidden, memory_k, memory_v)
        return self._logits(hidden)

    def start(self, memory: Tensor, cells: Tensor | None = None) -> list[Tensor]:
        """State before the first token: keys and values of the memory by layer, padding, the time (B,), past by layer.

        Where pictures of several sizes run together, memories have `cells` (B,) each and are filled up with zeros.
        """
        state: list[Tensor] = []
        for layer in self.layers:
            memory_k, memory_v = layer.project_memory(memory)
            state += [memory_k.contiguous(), memory_v.contiguous()]
        padding = padding_scores(memory if cells is not None else memory[:, :0], cells)
        state.append(padding[:, None, None])  # (B, 1, 1, S), or without cells where nothing is padded
        batch, width = memory.shape[0], self.d_model // self.heads
        state.append(torch.zeros(batch, dtype=torch.long, device=memory.device))
        for _ in self.layers:
            state.append(memory.new_zeros((batch, 2, self.heads, self.room, width)))  # keys and values, to be filled
        return state

    def step(self, token_ids: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Logits (B, V) of the token after `token_ids` (B,), the newest of each formula, and the next state.

        There may be several hypotheses for each picture of the memory, one after the other. The state given is used up.
        """
        time = int(state[self.fixed][0])
        embedded = self._embed(token_ids.unsqueeze(1), time)  # (B, 1, D)
        hidden = embedded.view(state[0].shape[0], -1, self.d_model)  # (pictures, hypotheses, D)
        found = state[self.fixed - 1]
        padding: Tensor | None = found if found.shape[3] > 0 else None
        after = state[: self.fixed]
        after.append(state[self.fixed] + 1)
        for index, layer in enumerate(self.layers):
            past = state[self.fixed + 1 + index]
            if time == past.shape[3]:
                past = torch.cat([past, torch.zeros_like(past)], dim=3)  # twice the room: copied seldom
            hidden = layer.step(hidden, past, time, state[2 * index], state[2 * index + 1], padding)
            after.append(past)
        return self._logits(hidden).flatten(0, 1), after

    def extend(self, token_ids: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Logits (B, k, V) of the token after each of `token_ids` (B, k), the newest of each formula, and the state.

        What `step` gives token by token, at once; one formula a picture. The state given is used up.
        """
        time, count = int(state[self.fixed][0]), token_ids.shape[1]
        hidden = self._embed(token_ids, time)  # (B, k, D)
        found = state[self.fixed - 1]
        padding: Tensor | None = found if found.shape[3] > 0 else None
        after = state[: self.fixed]
        after.append(state[self.fixed] + count)
        for index, layer in enumerate(self.layers):
            past = state[self.fixed + 1 + index]
            while time + count > past.shape[3]:
                past = torch.cat([past, torch.zeros_like(past)], dim=3)
            hidden = layer.extend(hidden, past, time, state[2 * index], state[2 * index + 1], padding)
            after.append(past)
        return self._logits(hidden), after

    def rewind(self, state: list[Tensor], count: int) -> list[Tensor]:
        """The state without its newest `count` tokens."""
        after = state[: self.fixed]
        after.append(state[self.fixed] - count)
        return after + state[self.fixed + 1 :]

    def attend(self, images: Tensor, token_ids: Tensor) -> Tensor:
        """Where the model looks (B, T, H / 8, W / 8) for the token after each of `token_ids`.

        The mean of all heads and layers but the first layer, which looks about before it knows what it looks for.
        """
        grid = self._grid(images)  # (B, H / 8, W / 8, D)
        memory = grid.flatten(1, 2)  # (B, S, D)
        hidden = self._embed(token_ids, 0)  # (B, T, D)
        looks: list[Tensor] = []
        for layer in self.layers:
            memory_k, memory_v = layer.project_memory(memory)
            hidden, weights = layer.attend(hidden, memory_k, memory_v)  # (B, T, S)
            looks.append(weights)
        mean = torch.stack(looks[min(1, len(looks) - 1) :]).mean(0)  # (B, T, S)
        return mean.view(images.shape[0], token_ids.shape[1], grid.shape[1], grid.shape[2])

    def features(self, images: Tensor) -> Tensor:
        """What the trunk makes of images: (B, C, H / 8, W / 8), before projection and positions."""
        found: Tensor = self.trunk(images).to(self.memory_norm.weight.dtype)
        return found

    def _grid(self, images: Tensor) -> Tensor:
        features = self.features(images).permute(0, 2, 3, 1)  # (B, H / 8, W / 8, C)
        grid = self.memory_norm(self.memory_projection(features))  # (B, H / 8, W / 8, D)
        positions = positions_2d(grid.shape[1], grid.shape[2], self.d_model, images.device)
        placed: Tensor = grid + positions.to(grid.dtype)
        return placed

    def _embed(self, token_ids: Tensor, position: int) -> Tensor:
        embedded: Tensor = self.embedding(token_ids) * math.sqrt(self.d_model)  # (B, T, D)
        end = position + token_ids.shape[1]
        positions = positions_1d(end, self.d_model, token_ids.device, position)
        return embedded + positions.to(embedded.dtype)

    def _logits(self, hidden: Tensor) -> Tensor:
        """Scores by the embedding itself (tied weights, Press and Wolf 2017)."""
        logits: Tensor = F.linear(self.final_norm(hidden), self.embedding.weight, self.output_bias)
        return logits
