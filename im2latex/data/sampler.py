"""BucketBatchSampler: which samples share a batch, in which order, on which rank."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import torch.distributed

from im2latex.errors import ConfigError

Batch = list[int]
Bucket = tuple[npt.NDArray[np.int64], int]
"""Samples, and how many of them a batch has room for."""
Padding = tuple[int, int, int]
"""Height, width (pixels) and length (tokens) that samples are padded to."""

RARE = 8
"""A padding of fewer samples joins a larger one: batches of one or two are slow and noisy ..."""
JOINING_COSTS = 2.0
"""... unless its pictures would be padded to more than this many times their area."""


@dataclass(frozen=True)
class BatchBudget:
    """How much fits into one batch on one rank, padding counted; a single sample may exceed it."""

    max_pixels: int = 1_500_000
    """Padded pixels of all pictures of a batch together."""
    max_tokens: int = 8_192
    """Tokens of all formulas of a batch together, padded to the longest length of the bucket."""
    max_samples: int = 64


def round_up(size: int, multiple: int = 16, steps: int = 8) -> int:
    """The next size on the grid: multiples of `multiple`, coarser as sizes grow, so that few sizes occur.

    From one power of two to the next there are `steps` sizes at most: padding stays under 2 / `steps`.
    """
    step = multiple
    while step * steps < size:
        step *= 2
    return -(-size // step) * step


class BucketBatchSampler:
    """Batches of pictures with nearly one size, by a budget of pixels and tokens.

    Promises: every sample once over all ranks in every epoch; equally many batches on all ranks, the same
    number in every epoch; order and content follow from `seed` and epoch alone. Rank r of W takes batches
    r, r + W, ... of one order that does not depend on W, but for its last batches, split to come out even: W
    ranks make the steps of one rank that accumulates W batches.
    """

    def __init__(
        self,
        sizes: npt.ArrayLike,
        lengths: npt.ArrayLike,
        *,
        budget: BatchBudget,
        seed: int = 0,
        shuffle: bool = True,
        multiple: int = 16,
        rank: int | None = None,
        world_size: int | None = None,
    ) -> None:
        """`sizes`: (N, 2) heights, widths in pixels; `lengths`: (N,) tokens; `shuffle`: anew in every epoch.

        Rank and number of ranks default to those of torch.distributed where it is running. Raises ConfigError
        when there are fewer samples than ranks.
        """
        self.seed, self.shuffle, self.budget = seed, shuffle, budget
        self.rank, self.world_size = _find_rank(rank, world_size)
        self.epoch = 0
        self.first_batch = 0  # of the next iteration on this rank; 0 unless resumed in mid-epoch
        self._samples = len(np.asarray(lengths))
        if self._samples < self.world_size:
            raise ConfigError(f"{self._samples} samples cannot feed {self.world_size} ranks: use fewer ranks")
        self._length = self._prepare(np.asarray(sizes).reshape(-1, 2), np.asarray(lengths), multiple)

    def _prepare(self, sizes: npt.NDArray[Any], lengths: npt.NDArray[Any], multiple: int) -> int:
        """What all epochs share; returns the batches of an epoch on each rank."""
        self._buckets = fill_buckets(sizes, lengths, self.budget, multiple)
        batches = sum(-(-len(members) // room) for members, room in self._buckets)
        can_split = self._samples >= -(-batches // self.world_size) * self.world_size
        return -(-batches // self.world_size) if can_split else batches // self.world_size

    @property
    def sampler(self) -> "BucketBatchSampler":
        return self  # Lightning calls set_epoch on batch_sampler.sampler, never on the batch sampler

    def set_epoch(self, epoch: int) -> None:
        """The next iteration shuffles for this epoch; a place resumed at in the same epoch is kept."""
        if epoch != self.epoch:
            self.epoch, self.first_batch = epoch, 0

    def state_dict(self, batches_done: int | None = None) -> dict[str, Any]:
        """Where training stands: `batches_done` of this epoch on each rank; None: where iteration starts."""
        done = self.first_batch if batches_done is None else batches_done
        return {"epoch": self.epoch, "batches_done": done, **self._identity()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on where `state` was taken. Raises ConfigError if, within an epoch, anything has changed."""
        within = 0 < state["batches_done"] < state["batches"]
        for name, value in self._identity().items():
            if within and state.get(name) != value:
                raise ConfigError(f"cannot go on within an epoch: {name} was {state.get(name)}, now {value}")
        self.epoch, self.first_batch = state["epoch"], min(state["batches_done"], self._length)

    def __len__(self) -> int:
        """Batches of a whole epoch on each rank, wherever iteration starts."""
        return self._length

    def __iter__(self) -> Iterator[Batch]:
        """Batches of this rank from `first_batch` on; iterating once more starts at 0 again."""
        # A generator: DataLoader asks twice for an iterator and throws the first away, unused.
        first, self.first_batch = self.first_batch, 0
        yield from islice(self._order(), first * self.world_size + self.rank, None, self.world_size)

    def _identity(self) -> dict[str, Any]:
        return {
            "samples": self._samples,
            "world_size": self.world_size,
            "seed": self.seed,
            "shuffle": self.shuffle,
            "budget": asdict(self.budget),
            "batches": self._length,
        }

    def _order(self) -> Iterable[Batch]:
        """All batches of the epoch, over all ranks."""
        return _bring_to_number(shuffle_batches(self._buckets, self._generator()), self._length * self.world_size)

    def _generator(self) -> np.random.Generator:
        """Of this epoch; the same in all epochs without `shuffle`."""
        return np.random.default_rng([self.seed, self.epoch if self.shuffle else 0])


def _find_rank(rank: int | None, world_size: int | None) -> tuple[int, int]:
    if rank is None and world_size is None:
        if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
            return 0, 1
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    if rank is None or world_size is None or not 0 <= rank < world_size:
        raise ConfigError(f"wanted 0 <= rank < world_size, both or none; got {rank} and {world_size}")
    return rank, world_size


def fill_buckets(
    sizes: npt.NDArray[Any], lengths: npt.NDArray[Any], budget: BatchBudget, multiple: int
) -> list[Bucket]:
    """Samples that are padded alike, with the number of them that a batch has room for."""
    found: dict[Padding, Batch] = defaultdict(list)
    for index, ((height, width), length) in enumerate(zip(sizes.tolist(), lengths.tolist(), strict=True)):
        found[round_up(height, multiple), round_up(width, multiple), round_up(length)].append(index)
    ranked = sorted(found, key=lambda padding: (_area(padding), padding))
    areas = [_area(padding) for padding in ranked]
    for padding in sorted(found, key=_area):
        if len(found[padding]) >= RARE:
            continue
        # the smallest other padding that holds this one without costing much more
        affordable = slice(bisect_left(areas, _area(padding)), bisect_right(areas, JOINING_COSTS * _area(padding)))
        larger = next((other for other in ranked[affordable] if other in found and _holds(other, padding)), None)
        if larger:
            found[larger] += found.pop(padding)
    return [(np.array(found[padding]), _room(padding, budget)) for padding in sorted(found)]


def shuffle_batches(buckets: Iterable[Bucket], generator: np.random.Generator) -> list[Batch]:
    """Batches of evenly many samples from each bucket, in an order drawn by lot."""
    batches: list[Batch] = []
    for members, room in buckets:
        parts = np.array_split(generator.permutation(members), -(-len(members) // room))
        batches += [part.tolist() for part in parts]
    return [batches[place] for place in generator.permutation(len(batches))]


def _holds(larger: Padding, smaller: Padding) -> bool:
    """Whether samples of the smaller padding could be padded to the larger, another one."""
    return larger != smaller and all(theirs >= ours for theirs, ours in zip(larger, smaller, strict=True))


def _area(padding: Padding) -> int:
    return padding[0] * padding[1]


def _room(padding: Padding, budget: BatchBudget) -> int:
    by_pixels, by_tokens = budget.max_pixels // _area(padding), budget.max_tokens // max(padding[2], 1)
    return max(1, min(by_pixels, by_tokens, budget.max_samples))


def _bring_to_number(batches: list[Batch], wanted: int) -> list[Batch]:
    """Splits the last batches, or joins them where all are single samples, until `wanted` are left."""
    done: list[Batch] = []
    while len(batches) + len(done) < wanted:
        batch = batches.pop()
        pieces = min(len(batch), wanted - len(batches) - len(done))
        done += [batch[piece::pieces] for piece in range(pieces)]
    while len(batches) + len(done) > wanted:
        batches[-2:] = [batches[-2] + batches[-1]]
    return batches + done
