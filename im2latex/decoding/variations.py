"""Variations: what a picture may show if one token of a reading were another.

A beam keeps what is most probable as a whole; of a long formula that is the same few doubts, again and again. Here
every place is doubted by itself.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from im2latex.cores import one_thread, running
from im2latex.decoding.draft import CHUNK, Draft, Pencil, Portion
from im2latex.tokenizer import BOS, EOS, PAD

FAINTEST = 10
"""Nats by which a token may be less probable than the one that was read."""
ALIKE = 4
"""Tokens that a variation and the reading must have in common, one after the other, ..."""
NEAR = 8
"""... this many places apart at most, before it is guessed to go on as the reading does, ..."""
FORESEEN = 32
"""... for so many tokens."""


def vary(decoder: Any, draft: Draft, image: Tensor, token_ids: list[int], count: int) -> list[Portion]:
    """Up to `count` readings of an image (1, H, W) that leave `token_ids`, which end with EOS, each for another token.

    Those tokens are taken that come nearest to the read ones in probability; each reading goes on as the decoder does,
    greedily. `draft` is that of its bundle.
    """
    with running(), one_thread():
        reading = decoder.begin(image.unsqueeze(0))
        position, state = reading[:4], reading[4:]
        read = torch.tensor([token_ids])  # (1, T)
        logits, state = decoder.model.extend(_after_bos(read[:, :-1]), state)
        log_probs = logits[0].float().log_softmax(-1)  # (T, V)
        chosen = log_probs.gather(1, read.T)  # (T, 1)
        positions, doubts = [], log_probs - chosen
        for place, token_id in enumerate(read.T):
            doubts[place].masked_fill_(decoder.mask.forbidden(position)[0], -torch.inf)
            positions.append(position)
            position = decoder.mask.advance(position, token_id)
        doubts.scatter_(1, read.T, -torch.inf)
        best = doubts.flatten().topk(min(count, doubts.numel()))
        others = [divmod(flat, doubts.shape[1]) for flat in best.indices[best.values > -FAINTEST].tolist()]
        pencil = Pencil(draft, state[: 2 * draft.layers])
        known, found = chosen.flatten().tolist(), []
        for place, token_id in sorted(others, reverse=True):  # each overwrites what the state holds from its place on
            start = [*token_ids[:place], token_id]
            logs = [*known[:place], float(log_probs[place, token_id])]
            if token_id not in (EOS, PAD):
                position = decoder.mask.advance(positions[place], torch.tensor([token_id]))
                state_there = decoder.model.rewind(state, len(token_ids) - place - 1)
                for ids, more in _go_on(decoder, pencil, start, position + state_there, token_ids):
                    start, logs = start + ids, logs + more
            found.append((start, logs))
    return found


def _go_on(
    decoder: Any, pencil: Pencil, start: list[int], reading: list[Tensor], known: list[int]
) -> Iterator[Portion]:
    """What the decoder writes after `start`, in portions."""
    written = _after_bos(torch.tensor([start]))
    while written.shape[1] <= decoder.max_tokens and int(written[0, -1]) != EOS:
        pencil.remember(reading)
        guess = _guess(pencil, written[0].tolist(), known)[: decoder.max_tokens + 1 - written.shape[1]]
        taken, log_probs, reading = decoder.verify(torch.tensor([guess]), written, reading)
        written = torch.cat([written, taken], dim=1)
        yield taken[0].tolist(), log_probs[0].tolist()


def _guess(pencil: Pencil, written: list[int], known: list[int]) -> list[int]:
    """What the draft writes next until it comes upon what is `known`, and then that; at least one token."""
    tokens = list(written)
    while len(tokens) < len(written) + CHUNK:
        place = _find(known, tokens[-ALIKE:], len(tokens) - 1)
        if place is not None:
            tokens += known[place : place + FORESEEN]
            break
        guess = pencil.guess(tokens[-1], len(tokens) - 1, 1)
        if not guess:
            break
        tokens += guess
    return tokens[len(written) :] or [EOS]


def _find(known: list[int], last: list[int], place: int) -> int | None:
    """The place in `known` that the `last` tokens lead up to, the one nearest to `place`; None: there is none."""
    near = range(max(len(last), place - NEAR), min(len(known) - 1, place + NEAR) + 1)
    ends = [end for end in near if known[end - len(last) : end] == last]
    return min(ends, key=lambda end: abs(end - place), default=None)


def _after_bos(token_ids: Tensor) -> Tensor:
    """Token ids (1, T) with BOS before them."""
    return torch.cat([torch.full((1, 1), BOS), token_ids], dim=1)
