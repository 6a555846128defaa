"""Decoder: pictures to the most probable token ids, greedily or with a beam; scriptable, for any formula model."""

from typing import Any

import torch
from torch import Tensor, nn

from im2latex.tokenizer import BOS, EOS, PAD


class Decoder(nn.Module):
    """A formula model with the search that reads tokens from it; the module that is scripted, shipped and served."""

    def __init__(self, model: nn.Module, max_tokens: int, length_penalty: float = 1.0) -> None:
        """`length_penalty`: a beam's score is its log-probability divided by (tokens ** length_penalty)."""
        super().__init__()
        self.model: Any = model  # a formula model: encode, start, step
        self.max_tokens = max_tokens
        self.length_penalty = length_penalty
        self.pad, self.bos, self.eos = PAD, BOS, EOS  # attributes, since TorchScript reads no global

    def forward(self, images: Tensor, beam: int = 1) -> tuple[Tensor, Tensor]:
        """Images (B, 1, H, W) to token ids (B, T), each row ended by EOS and filled with PAD, and log-probabilities.

        A formula that reaches `max_tokens` has no EOS. PAD has log-probability 0, so a row's sum is its formula's.
        """
        memory = self.model.encode(images)
        if beam <= 1:
            return self._greedy(memory)
        return self._beam(memory, beam)

    def _greedy(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        batch = memory.shape[0]
        token_ids = torch.full((batch, self.max_tokens), self.pad, dtype=torch.long, device=memory.device)
        log_probs = torch.zeros((batch, self.max_tokens), device=memory.device)
        rows = torch.arange(batch, device=memory.device)  # formulas still being read
        newest = torch.full((batch,), self.bos, dtype=torch.long, device=memory.device)
        state = self.model.start(memory)
        length = 0
        while length < self.max_tokens and rows.numel() > 0:
            logits, state = self.model.step(newest, state)
            chosen, newest = logits.float().log_softmax(-1).max(-1)
            token_ids[rows, length] = newest
            log_probs[rows, length] = chosen
            length += 1
            going = newest.ne(self.eos).nonzero().squeeze(1)
            if going.numel() < rows.numel():  # finished formulas leave the batch
                rows, newest = rows[going], newest[going]
                state = select(state, going)
        return token_ids[:, :length], log_probs[:, :length]

    def _beam(self, memory: Tensor, beam: int) -> tuple[Tensor, Tensor]:
        batch, device = memory.shape[0], memory.device
        first = torch.arange(batch, device=device) * beam  # row of each formula's first beam
        state = select(self.model.start(memory), torch.arange(batch, device=device).repeat_interleave(beam))
        token_ids = torch.full((batch * beam, 1), self.bos, dtype=torch.long, device=device)
        log_probs = torch.zeros((batch * beam, 1), device=device)
        totals = torch.full((batch, beam), -1e9, device=device)
        totals[:, 0] = 0.0  # at first all beams are equal: let one speak
        finished = torch.zeros(batch * beam, dtype=torch.bool, device=device)
        length = 0
        while length < self.max_tokens and not bool(finished.all()):
            logits, state = self.model.step(token_ids[:, -1], state)
            scores = logits.float().log_softmax(-1)  # (B * beam, V)
            vocab_size = scores.shape[1]
            scores[finished] = -1e9
            scores[finished, self.pad] = 0.0  # a finished beam only waits
            best, places = (totals.view(-1, 1) + scores).view(batch, -1).topk(beam, dim=1)
            parents = (places // vocab_size + first.unsqueeze(1)).view(-1)  # (B * beam,)
            newest = (places % vocab_size).view(-1)
            gained = scores[parents, newest]
            token_ids = torch.cat([token_ids[parents], newest.unsqueeze(1)], dim=1)
            log_probs = torch.cat([log_probs[parents], gained.unsqueeze(1)], dim=1)
            finished = finished[parents] | newest.eq(self.eos)
            totals = best
            state = select(state, parents)
            length += 1
        tokens = token_ids.ne(self.pad).sum(1).sub(1).clamp(min=1).view(batch, beam)
        winner = (totals / tokens.float().pow(self.length_penalty)).argmax(1) + first
        kept = int(tokens.view(-1)[winner].max())
        return token_ids[winner, 1 : kept + 1], log_probs[winner, 1 : kept + 1]


def select(state: list[Tensor], rows: Tensor) -> list[Tensor]:
    """The state of some rows of the batch, in the order asked for; a row may be asked for more than once."""
    return [tensor.index_select(0, rows) for tensor in state]
