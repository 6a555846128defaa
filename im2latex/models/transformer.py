"""Transformer decoder layers: over a whole formula for training, or token by token with cached keys and values."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class DecoderLayer(nn.Module):
    """Self-attention, attention to the memory, feed-forward; each normalised before and added after (pre-norm)."""

    def __init__(
        self, d_model: int, heads: int, feedforward: int, dropout: float, memory_heads: int | None = None
    ) -> None:
        """`memory_heads`: keys and values of the memory, shared by as many heads each; None: one for each head."""
        super().__init__()
        self.heads, self.memory_heads, self.width = heads, memory_heads or heads, d_model // heads
        self.dropout = dropout
        self.self_norm = nn.LayerNorm(d_model)
        self.self_qkv = nn.Linear(d_model, 3 * d_model)
        self.self_out = nn.Linear(d_model, d_model)
        self.memory_norm = nn.LayerNorm(d_model)
        self.memory_q = nn.Linear(d_model, d_model)
        self.memory_kv = nn.Linear(d_model, 2 * self.memory_heads * self.width)
        self.memory_out = nn.Linear(d_model, d_model)
        self.feedforward_norm = nn.LayerNorm(d_model)
        self.expand = nn.Linear(d_model, feedforward)
        self.contract = nn.Linear(feedforward, d_model)

    def forward(self, hidden: Tensor, memory_k: Tensor, memory_v: Tensor) -> Tensor:
        """All tokens at once, each seeing those before it: hidden (B, T, D), memory (B, memory_heads, S, D / heads)."""
        q, k, v = self._self_qkv(hidden)
        drop = self.dropout if self.training else 0.0
        if self.training and not hidden.is_cuda:
            attended = attention_in_steps(q, k, v, drop, is_causal=True)
        else:
            attended = F.scaled_dot_product_attention(q, k, v, dropout_p=drop, is_causal=True)
        return self._after_self_attention(hidden, attended, memory_k, memory_v)

    def step(
        self, hidden: Tensor, past: Tensor, time: int, memory_k: Tensor, memory_v: Tensor, padding: Tensor | None
    ) -> Tensor:
        """The token at place `time` of n hypotheses a picture, hidden (B, n, D); the memory as in `forward`.

        `past` (B * n, 2, heads, room, D / heads) holds keys and values up to `time`; this token's are written into it.
        `padding` (B, 1, 1, S) is added to the scores of the memory's cells.
        """
        batch, count, _ = hidden.shape
        qkv = self.self_qkv(self.self_norm(hidden)).view(batch * count, 3, self.heads, 1, -1)
        past.narrow(3, time, 1).copy_(qkv[:, 1:])
        seen = past.narrow(3, 0, time + 1)
        attended = F.scaled_dot_product_attention(qkv[:, 0], seen[:, 0], seen[:, 1])  # (B * n, heads, 1, D / heads)
        attended = attended.view(batch, count, self.heads, -1).transpose(1, 2)
        return self._after_self_attention(hidden, attended, memory_k, memory_v, padding)

    def extend(
        self, hidden: Tensor, past: Tensor, time: int, memory_k: Tensor, memory_v: Tensor, padding: Tensor | None
    ) -> Tensor:
        """The tokens from place `time` on, of one hypothesis a picture: hidden (B, k, D); the rest as in `step`."""
        batch, count, _ = hidden.shape
        qkv = self.self_qkv(self.self_norm(hidden)).view(batch, count, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        past.narrow(3, time, count).copy_(qkv[1:].transpose(0, 1))
        seen = past.narrow(3, 0, time + count)
        places = torch.arange(time + count, device=hidden.device)
        visible = places <= places[time:].unsqueeze(1)  # (k, time + k)
        attended = F.scaled_dot_product_attention(qkv[0], seen[:, 0], seen[:, 1], attn_mask=visible)
        return self._after_self_attention(hidden, attended, memory_k, memory_v, padding)

    def attend(self, hidden: Tensor, memory_k: Tensor, memory_v: Tensor) -> tuple[Tensor, Tensor]:
        """What `forward` gives, and where it looked: weights (B, T, S), the mean of the heads; a row sums to 1."""
        q, k, v = self._self_qkv(hidden)
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        asking = self._memory_q(hidden + self.self_out(self._join(attended)))
        scores = asking @ memory_k.transpose(2, 3) * asking.shape[3] ** -0.5
        weights = scores.float().softmax(-1).view(hidden.shape[0], self.heads, hidden.shape[1], -1).mean(1)
        return self._after_self_attention(hidden, attended, memory_k, memory_v), weights

    def project_memory(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values (B, memory_heads, S, D / heads) of the memory (B, S, D): once a picture, not once a token."""
        k, v = self.memory_kv(memory).chunk(2, dim=-1)
        return self._split(k), self._split(v)

    def _self_qkv(self, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        q, k, v = self.self_qkv(self.self_norm(hidden)).chunk(3, dim=-1)
        return self._split(q), self._split(k), self._split(v)

    def _after_self_attention(
        self, hidden: Tensor, attended: Tensor, memory_k: Tensor, memory_v: Tensor, padding: Tensor | None = None
    ) -> Tensor:
        hidden = hidden + self._drop(self.self_out(self._join(attended)))
        asking = self._memory_q(hidden)
        if self.training and not hidden.is_cuda and padding is None:
            seen = attention_in_steps(asking, memory_k, memory_v, 0.0, is_causal=False)
        else:
            seen = F.scaled_dot_product_attention(asking, memory_k, memory_v, attn_mask=padding)
        seen = seen.view(seen.shape[0], self.heads, -1, self.width)  # (B, heads, T, D / heads)
        hidden = hidden + self._drop(self.memory_out(self._join(seen)))
        inner = F.gelu(self.expand(self.feedforward_norm(hidden)))
        return hidden + self._drop(self.contract(inner))

    def _memory_q(self, hidden: Tensor) -> Tensor:
        """Queries (B, memory_heads, heads / memory_heads * T, D / heads): side by side those that share keys."""
        asking = self._split(self.memory_q(self.memory_norm(hidden)))
        return asking.reshape(asking.shape[0], self.memory_heads, -1, self.width)

    def _drop(self, hidden: Tensor) -> Tensor:
        return F.dropout(hidden, self.dropout) if self.training else hidden

    def _split(self, hidden: Tensor) -> Tensor:
        return hidden.view(hidden.shape[0], hidden.shape[1], -1, self.width).transpose(1, 2)

    def _join(self, attended: Tensor) -> Tensor:
        batch, heads, length, width = attended.shape
        return attended.transpose(1, 2).reshape(batch, length, heads * width)


def attention_in_steps(q: Tensor, k: Tensor, v: Tensor, dropout: float, is_causal: bool) -> Tensor:
    """`scaled_dot_product_attention` as products and a softmax: sooner to learn through on a CPU (docs/experiments.md).

    q (B, heads, T, D / heads), k and v (B, heads, S, D / heads).
    """
    scores = (q * q.shape[3] ** -0.5) @ k.transpose(2, 3)  # (B, heads, T, S)
    if is_causal:
        places = torch.arange(scores.shape[3], device=q.device)
        scores = scores.masked_fill(places > places.unsqueeze(1), float("-inf"))
    weights = torch.softmax(scores, -1, dtype=scores.dtype)
    return F.dropout(weights, dropout) @ v
