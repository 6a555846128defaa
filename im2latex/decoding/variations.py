"""Variations: what a picture may show if one token of a reading were another.

A beam keeps what is most probable as a whole; of a long formula that is the same few doubts, again and again. Here
every place is doubted by itself.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from im2latex.cores import one_thread, running
from im2latex.decoding.draft import Portion
from im2latex.tokenizer import BOS, EOS, PAD

FAINTEST = 10
"""Nats by which a token may be less probable than the one that was read."""
GUESSED = 8
"""Tokens that are guessed to follow, twice as many each time that they do."""
NEAR = 8
"""Tokens on either side, among which the reading is looked for again once a variation has left it."""


def can_vary(decoder: Any) -> bool:
    """Whether the decoder, that of a bundle, takes many tokens at once, as the Transformer does."""
    return hasattr(decoder, "verify") and hasattr(decoder.model, "extend")


def vary(decoder: Any, image: Tensor, token_ids: Sequence[int], count: int) -> list[Portion]:
    """Up to `count` readings of an image (1, H, W) that leave `token_ids`, which end with EOS, each for another token.

    Those tokens are taken that come nearest to the read ones in probability; each reading goes on as the decoder does,
    greedily. Ask `can_vary` first.
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
        known, found = chosen.flatten().tolist(), []
        for place, token_id in sorted(others, reverse=True):  # each overwrites what the state holds from its place on
            start = [*token_ids[:place], token_id]
            logs = [*known[:place], float(log_probs[place, token_id])]
            if token_id not in (EOS, PAD):
                position = decoder.mask.advance(positions[place], torch.tensor([token_id]))
                state_there = decoder.model.rewind(state, len(token_ids) - place - 1)
                for ids, more in _go_on(decoder, start, position + state_there, token_ids):
                    start, logs = start + ids, logs + more
            found.append((start, logs))
    return found


def _go_on(decoder: Any, start: list[int], reading: list[Tensor], known: Sequence[int]) -> Iterator[Portion]:
    """What the decoder writes after `start`, in portions: soon much as in `known`, which is therefore guessed."""
    written = _after_bos(torch.tensor([start]))
    place, count = len(start), GUESSED
    while written.shape[1] <= decoder.max_tokens and int(written[0, -1]) != EOS:
        guess = list(known[place : place + min(count, decoder.max_tokens + 1 - written.shape[1])]) or [EOS]
        taken, log_probs, reading = decoder.verify(torch.tensor([guess]), written, reading)
        written = torch.cat([written, taken], dim=1)
        ids: list[int] = taken[0].tolist()
        yield ids, log_probs[0].tolist()
        place, count = place + len(ids), 2 * count
        if ids != guess:
            place, count = _find(known, written[0, -2:].tolist(), place), GUESSED


def _find(known: Sequence[int], last: Sequence[int], place: int) -> int:
    """The place in `known` that follows the `last` two tokens, or but the last, nearest to `place`; else `place`."""
    near = range(max(1, place - NEAR), min(len(known), place + NEAR) + 1)
    ends = [end for end in near if known[end - 1] == last[1]]
    return min(ends, key=lambda end: (known[max(0, end - 2)] != last[0], abs(end - place)), default=place)


def _after_bos(token_ids: Tensor) -> Tensor:
    """Token ids (1, T) with BOS before them."""
    return torch.cat([torch.full((1, 1), BOS), token_ids], dim=1)
