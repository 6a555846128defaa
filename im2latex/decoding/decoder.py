"""The decoder: a formula model with the searches that read tokens from it, greedily or with a beam."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from im2latex.decoding.mask import CHECK_EVERY, GrammarMask
from im2latex.latex.grammar import Grammar
from im2latex.tokenizer import BOS, EOS, PAD

IMPOSSIBLE = -1e9
"""Log-probability of what is never chosen while there is a choice."""
CARRIED = 0.25
"""Share of a batch that may be finished formulas: to leave them out costs a copy of the whole state."""


class Decoder(nn.Module):
    """The module that is scripted, shipped and served.

    Tokens that lead to no formula are never chosen, but log-probabilities are the model's own, over all tokens: where
    the grammar overrules the model, they are low.
    """

    def __init__(self, model: nn.Module, max_tokens: int, grammar: Grammar, length_penalty: float = 1.0) -> None:
        """`length_penalty`: a beam's score is its log-probability divided by (tokens ** length_penalty)."""
        super().__init__()
        self.model: Any = model  # a formula model: encode, start, step, attend, features
        self.mask: Any = GrammarMask(grammar)
        self.max_tokens = max_tokens
        self.length_penalty = length_penalty
        self.check_every = CHECK_EVERY
        self.pad, self.bos, self.eos = PAD, BOS, EOS  # attributes, since TorchScript reads no global
        self.impossible, self.carried = IMPOSSIBLE, CARRIED
        self.fixed = 4 + int(getattr(model, "fixed", 0))  # what follows in a reading depends on the tokens written

    def forward(self, images: Tensor, beam: int = 1) -> tuple[Tensor, Tensor]:
        """Images (B, 1, H, W) to token ids (B, T), each row ended by EOS and filled with PAD, and log-probabilities.

        PAD has log-probability 0, so a row's sum is its formula's.
        """
        return self.read_all([images], beam)

    @torch.jit.export
    def read_all(self, images: list[Tensor], beam: int) -> tuple[Tensor, Tensor]:
        """As `forward`, for images of several sizes, those of one size in one tensor; rows are in their order.

        Every size is encoded by itself; then all formulas are written together.
        """
        if beam <= 1:
            return self._greedy(self.begin_all(images))
        token_ids, log_probs = self.search_all(images, beam)
        kept = int(token_ids[:, 0].ne(self.pad).sum(1).max())
        return token_ids[:, 0, :kept], log_probs[:, 0, :kept]

    @torch.jit.export
    def begin(self, images: Tensor) -> list[Tensor]:
        """What a reading of pictures knows before its first token: position in the grammar, then the model's state."""
        return self.begin_all([images])

    @torch.jit.export
    def begin_all(self, images: list[Tensor]) -> list[Tensor]:
        """As `begin`, for images of several sizes: memories are filled up with zeros, which are never looked at."""
        memories = [self.model.encode(group) for group in images]
        if len(memories) == 1:
            state: list[Tensor] = self.model.start(memories[0])
        else:
            counts = [torch.full((memory.shape[0],), memory.shape[1], device=memory.device) for memory in memories]
            cells = torch.cat(counts)
            longest = int(cells.max())
            padded = [F.pad(memory, (0, 0, 0, longest - memory.shape[1])) for memory in memories]
            state = self.model.start(torch.cat(padded), cells)
        position: list[Tensor] = self.mask.start(sum([group.shape[0] for group in images]), self.max_tokens)
        return position + state

    @torch.jit.export
    def advance(self, written: Tensor, reading: list[Tensor]) -> tuple[Tensor, Tensor, list[Tensor]]:
        """The most probable token (B,) after those written (B, t), BOS first, its log-probability, and the reading."""
        log_probs, reading = self._step(written, reading)
        log_prob, newest = log_probs.max(-1)
        return newest, log_prob, self._follow(reading, newest)

    @torch.jit.export
    def verify(self, guessed: Tensor, written: Tensor, reading: list[Tensor]) -> tuple[Tensor, Tensor, list[Tensor]]:
        """What follows the tokens written (1, t), BOS first, as far as a guess (1, k) foretells it.

        Tokens and log-probabilities (1, m), 1 <= m <= k, that `advance` would give one by one, and the reading after
        them: the guess up to its first error, put right, or up to its EOS. One pass, where `advance` takes m.
        """
        if not hasattr(self.model, "extend"):
            raise RuntimeError("this model verifies no guesses")
        asked = torch.cat([written[:, -1:], guessed[:, :-1]], dim=1)
        position, state = reading[:4], reading[4:]
        logits, state = self.model.extend(asked, state)
        scores = logits[0].float().log_softmax(-1)  # (k, V)
        log_probs, likeliest = scores.max(-1)  # (k,)
        known, length = torch.cat([written, guessed], dim=1), written.shape[1]
        agreed = int((likeliest == guessed[0]).long().cumprod(0).sum())
        count, right = 0, True
        while right and count < guessed.shape[1]:
            if length % self.check_every == 0:
                position = self.mask.end_runaways(position, known[:, :length])
            until = min(agreed, count + self.check_every - length % self.check_every)
            taken, position = self.mask.walk(position, guessed[0, count:until])
            if taken == 0:  # the guess is wrong, or the grammar overrules it
                newest = likeliest[count : count + 1]
                if not bool(self.mask.allows(position, newest)):
                    allowed = scores[count : count + 1].masked_fill(self.mask.forbidden(position), self.impossible)
                    log_probs[count : count + 1], newest = allowed.max(-1)
                position = self.mask.advance(position, newest)
                right = int(newest) == int(known[0, length])
                known[0, length] = newest[0]
                taken = 1
            count, length = count + taken, length + taken
            right = right and int(known[0, length - 1]) != self.eos
        state = self.model.rewind(state, guessed.shape[1] - count)
        return known[:, written.shape[1] : length], log_probs[:count].unsqueeze(0), position + state

    @torch.jit.export
    def search(self, images: Tensor, beam: int) -> tuple[Tensor, Tensor]:
        """All hypotheses of a beam, best first: token ids (B, beam, T) and log-probabilities, as `forward` gives them.

        Where there are fewer formulas than beams, the rest has a log-probability below -1e8.
        """
        return self.search_all([images], beam)

    @torch.jit.export
    def search_all(self, images: list[Tensor], beam: int) -> tuple[Tensor, Tensor]:
        """As `search`, for images of several sizes as in `read_all`."""
        reading = self.begin_all(images)
        batch, device = reading[0].shape[0], reading[0].device
        reading = self._branch(reading, torch.arange(batch, device=device).repeat_interleave(beam))
        found = torch.full((batch, beam, self.max_tokens), self.pad, dtype=torch.long, device=device)
        found_log_probs = torch.zeros((batch, beam, self.max_tokens), device=device)
        found_totals = torch.zeros((batch, beam), device=device)
        formulas = torch.arange(batch, device=device)  # those in hand
        token_ids = torch.full((batch * beam, 1), self.bos, dtype=torch.long, device=device)
        log_probs = torch.zeros((batch * beam, 1), device=device)
        totals = torch.full((batch, beam), self.impossible, device=device)
        totals[:, 0] = 0.0  # at first all beams are equal: let one speak
        finished = torch.zeros(batch * beam, dtype=torch.bool, device=device)
        length = 0
        while length < self.max_tokens and formulas.numel() > 0:
            scores, reading = self._step(token_ids, reading)  # (formulas * beam, V)
            vocab_size, count = scores.shape[1], formulas.numel()
            scores[finished] = self.impossible
            scores[finished, self.pad] = 0.0  # a finished beam only waits
            totals, places = (totals.view(-1, 1) + scores).view(count, -1).topk(beam, dim=1)
            first = torch.arange(count, device=device).unsqueeze(1) * beam  # row of each formula's first beam
            parents = (places // vocab_size + first).view(-1)  # (formulas * beam,)
            newest = (places % vocab_size).view(-1)
            token_ids = torch.cat([token_ids[parents], newest.unsqueeze(1)], dim=1)
            log_probs = torch.cat([log_probs[parents], scores[parents, newest].unsqueeze(1)], dim=1)
            finished = finished[parents] | newest.eq(self.eos)
            reading = self._follow(self._branch(reading, parents), newest)
            length += 1
            ended = finished.view(count, beam).all(1)
            going = ended.logical_not().nonzero().squeeze(1)
            if going.numel() <= (1.0 - self.carried) * count or length == self.max_tokens:
                found[formulas, :, :length] = token_ids[:, 1:].view(count, beam, length)
                found_log_probs[formulas, :, :length] = log_probs[:, 1:].view(count, beam, length)
                found_totals[formulas] = totals
                rows = (first[going] + torch.arange(beam, device=device)).view(-1)
                fixed = select(reading[4 : self.fixed], going)
                reading = select(reading[:4], rows) + fixed + select(reading[self.fixed :], rows)
                formulas, totals = formulas[going], totals[going]
                token_ids, log_probs, finished = token_ids[rows], log_probs[rows], finished[rows]
        lengths = found.ne(self.pad).sum(2).clamp(min=1)  # (B, beam)
        order = (found_totals / lengths.float().pow(self.length_penalty)).argsort(dim=1, descending=True)
        places = order.unsqueeze(2).expand(batch, beam, length)
        return found[:, :, :length].gather(1, places), found_log_probs[:, :, :length].gather(1, places)

    @torch.jit.export
    def attend(self, images: Tensor, token_ids: Tensor) -> Tensor:
        """Where the model looked for each of `token_ids` (B, T), which `forward` gave: (B, T, h, w), a map sums to 1.

        One pass over the finished formula: reading itself keeps no attention, and is as quick as without.
        """
        before = torch.cat([torch.full_like(token_ids[:, :1], self.bos), token_ids[:, :-1]], dim=1)
        weights: Tensor = self.model.attend(images, before)
        return weights

    @torch.jit.export
    def features(self, images: Tensor) -> Tensor:
        """What the encoder's convolutions make of images: maps (B, C, h, w)."""
        maps: Tensor = self.model.features(images)
        return maps

    def _greedy(self, reading: list[Tensor]) -> tuple[Tensor, Tensor]:
        batch, device = reading[0].shape[0], reading[0].device
        token_ids = torch.full((batch, self.max_tokens), self.pad, dtype=torch.long, device=device)
        log_probs = torch.zeros((batch, self.max_tokens), device=device)
        rows = torch.arange(batch, device=device)  # formulas in hand
        finished = torch.zeros(batch, dtype=torch.bool, device=device)
        written = torch.full((batch, 1), self.bos, dtype=torch.long, device=device)
        length, unread = 0, batch
        while length < self.max_tokens and unread > 0:
            scores, reading = self._step(written, reading)
            log_prob, newest = scores.max(-1)
            newest = newest.masked_fill(finished, self.pad)
            token_ids[rows, length] = newest
            log_probs[rows, length] = log_prob.masked_fill(finished, 0.0)
            written = torch.cat([written, newest.unsqueeze(1)], dim=1)
            reading = self._follow(reading, newest)
            length += 1
            finished = finished | newest.eq(self.eos)
            going = finished.logical_not().nonzero().squeeze(1)
            unread = going.numel()
            if unread > 0 and unread <= (1.0 - self.carried) * rows.numel():  # finished formulas leave the batch
                rows, written, finished = rows[going], written[going], finished[going]
                reading = select(reading, going)
        return token_ids[:, :length], log_probs[:, :length]

    def _step(self, written: Tensor, reading: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Log-probabilities (B, V) of the next token, where it is allowed, and the reading without that token."""
        position, state = reading[:4], reading[4:]
        if written.shape[1] % self.check_every == 0:
            position = self.mask.end_runaways(position, written)
        logits, state = self.model.step(written[:, -1], state)
        log_probs: Tensor = logits.float().log_softmax(-1)
        return log_probs.masked_fill(self.mask.forbidden(position), self.impossible), position + state

    def _branch(self, reading: list[Tensor], rows: Tensor) -> list[Tensor]:
        """A reading whose hypotheses go on from those in `rows`, each of the same picture as before."""
        fixed = reading[4 : self.fixed]
        return select(reading[:4], rows) + fixed + select(reading[self.fixed :], rows)

    def _follow(self, reading: list[Tensor], newest: Tensor) -> list[Tensor]:
        position: list[Tensor] = self.mask.advance(reading[:4], newest)
        return position + reading[4:]


def select(state: list[Tensor], rows: Tensor) -> list[Tensor]:
    """The state of some rows of the batch, in the order asked for; a row may be asked for more than once."""
    return [tensor.index_select(0, rows) for tensor in state]
