"""Transformer decoder layers: over a whole formula for training, or token by token with cached keys and values."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class DecoderLayer(nn.Module):
    """Self-attention, attention to the memory, feed-forward; each normalised before and added after (pre-norm)."""

    def __init__(self, d_model: int, heads: int, feedforward: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.self_norm = nn.LayerNorm(d_model)
        self.self_qkv = nn.Linear(d_model, 3 * d_model)
        self.self_out = nn.Linear(d_model, d_model)
        self.memory_norm = nn.LayerNorm(d_model)
        self.memory_q = nn.Linear(d_model, d_model)
        self.memory_kv = nn.Linear(d_model, 2 * d_model)
        self.memory_out = nn.Linear(d_model, d_model)
        self.feedforward_norm = nn.LayerNorm(d_model)
        self.expand = nn.Linear(d_model, feedforward)
        self.contract = nn.Linear(feedforward, d_model)

    def forward(self, hidden: Tensor, memory_k: Tensor, memory_v: Tensor) -> Tensor:
        """All tokens at once, each seeing those before it: hidden (B, T, D), memory (B, heads, S, D / heads)."""
        q, k, v = self._self_qkv(hidden)
        drop = self.dropout if self.training else 0.0
        attended = F.scaled_dot_product_attention(q, k, v, dropout_p=drop, is_causal=True)
        return self._after_self_attention(hidden, attended, memory_k, memory_v)

    def step(
        self, hidden: Tensor, past_k: Tensor, past_v: Tensor, memory_k: Tensor, memory_v: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """One token, hidden (B, 1, D), after those whose keys and values (B, heads, t, D / heads) are given."""
        q, k, v = self._self_qkv(hidden)
        past_k = torch.cat([past_k, k], dim=2)  # (B, heads, t + 1, D / heads)
        past_v = torch.cat([past_v, v], dim=2)
        attended = F.scaled_dot_product_attention(q, past_k, past_v)
        return self._after_self_attention(hidden, attended, memory_k, memory_v), past_k, past_v

    def attend(self, hidden: Tensor, memory_k: Tensor, memory_v: Tensor) -> tuple[Tensor, Tensor]:
        """What `forward` gives, and where it looked: weights (B, T, S), the mean of the heads; a row sums to 1."""
        q, k, v = self._self_qkv(hidden)
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        asking = self._memory_q(hidden + self.self_out(self._join(attended)))  # (B, heads, T, D / heads)
        scores = asking @ memory_k.transpose(2, 3) * asking.shape[3] ** -0.5
        weights = scores.float().softmax(-1).mean(1)
        return self._after_self_attention(hidden, attended, memory_k, memory_v), weights

    def project_memory(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values (B, heads, S, D / heads) of the memory (B, S, D): done once a picture, not once a token."""
        k, v = self.memory_kv(memory).chunk(2, dim=-1)
        return self._split(k), self._split(v)

    def _self_qkv(self, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        q, k, v = self.self_qkv(self.self_norm(hidden)).chunk(3, dim=-1)
        return self._split(q), self._split(k), self._split(v)

    def _after_self_attention(
        self, hidden: Tensor, attended: Tensor, memory_k: Tensor, memory_v: Tensor
    ) -> Tensor:
        hidden = hidden + self._drop(self.self_out(self._join(attended)))
        seen = F.scaled_dot_product_attention(self._memory_q(hidden), memory_k, memory_v)
        hidden = hidden + self._drop(self.memory_out(self._join(seen)))
        inner = F.gelu(self.expand(self.feedforward_norm(hidden)))
        return hidden + self._drop(self.contract(inner))

    def _memory_q(self, hidden: Tensor) -> Tensor:
        return self._split(self.memory_q(self.memory_norm(hidden)))

    def _drop(self, hidden: Tensor) -> Tensor:
        return F.dropout(hidden, self.dropout, self.training)

    def _split(self, hidden: Tensor) -> Tensor:
        batch, length, d_model = hidden.shape
        return hidden.view(batch, length, self.heads, d_model // self.heads).transpose(1, 2)

    def _join(self, attended: Tensor) -> Tensor:
        batch, heads, length, width = attended.shape
        return attended.transpose(1, 2).reshape(batch, length, heads * width)
