"""Repetition: greedy decoding sometimes goes round in circles (Holtzman et al. 2020, arXiv 1904.09751).

Of 8,461 validation formulas 31 were read so, which held 7 % of all edits (fd2c020, docs/experiments.md).
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from torch import Tensor

from im2latex.cores import one_thread, running
from im2latex.decoding.draft import Portion
from im2latex.tokenizer import EOS, PAD

REPEATED = 16
"""So many tokens in a row that each repeat the one a period before, ..."""
PERIODS = 3
"""... and so many periods of them, are a circle."""
SECOND_BEAM = 5
"""Hypotheses of the second reading."""


def leave_circles(decoder: Any, image: Tensor, reading: Portion) -> Portion:
    """What was read greedily in an image (1, H, W); if that repeats itself, the best of a beam that does not.

    If all of the beam do, its best. `decoder` is that of a bundle.
    """
    if not is_repetitive(written(reading[0])):
        return reading
    with running(), one_thread():
        token_ids, log_probs = decoder.search(image.unsqueeze(0), SECOND_BEAM)
    others: list[Portion] = list(zip(token_ids[0].tolist(), log_probs[0].tolist(), strict=True))
    return next((other for other in others if not is_repetitive(written(other[0]))), others[0])


def written(token_ids: list[int]) -> list[int]:
    """The ids before the first EOS or PAD."""
    end = next((place for place, token_id in enumerate(token_ids) if token_id in (EOS, PAD)), len(token_ids))
    return token_ids[:end]


def is_repetitive(token_ids: Sequence[int] | Sequence[str]) -> bool:
    """Whether some tokens in a row stand there four times or more, the repeats being 16 tokens at least."""
    longest = len(token_ids) // (PERIODS + 1)
    return any(_repeats(token_ids, period) >= max(REPEATED, PERIODS * period) for period in range(1, longest + 1))


def _repeats(token_ids: Sequence[int] | Sequence[str], period: int) -> int:
    """The most tokens in a row that are each the one `period` before."""
    same = (new == old for new, old in zip(token_ids[period:], token_ids, strict=False))
    return max((sum(1 for _ in run) for equal, run in groupby(same) if equal), default=0)
