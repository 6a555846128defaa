"""StreamBatchSampler: an order of batches that a few shards in memory can serve, shuffled nearly as well as all."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from im2latex.data.sampler import Batch, BatchBudget, BucketBatchSampler, fill_buckets, shuffle_batches
from im2latex.errors import ConfigError

ORDERS = 4
"""Orders of the shards that epochs take in turn: so few that all are known, and with them how many batches to make."""


@dataclass(frozen=True)
class StreamConfig:
    """How far samples are mixed, which is also how many are in memory."""

    lanes: int = 8
    """Places of the set that are read at a time; each rank reads its part of them, so a multiple of the ranks.
    A set too small for so many has half of them, or half of those."""
    window: int = 16_384
    """Samples of a lane that are mixed with each other; a few more in a lane of small pictures."""


class StreamBatchSampler(BucketBatchSampler):
    """The promises of BucketBatchSampler, for samples that lie in shards and are not all in memory.

    The shards are put in one of ORDERS orders drawn by lot and cut into lanes of as much work; each lane is cut into
    windows; the samples of a window make batches as those of a whole set would, other ones in every epoch; batches
    come from all lanes in turn. Rank r of W reads the lanes r, r + W, ... and no others. The order does not depend on
    W. Every lane has as many batches as the fullest lane of any order: the others split some of theirs. Only a set of
    hardly more samples than batches joins some, above the budget.
    """

    def __init__(
        self,
        sizes: npt.ArrayLike,
        lengths: npt.ArrayLike,
        shards: npt.ArrayLike,
        *,
        stream: StreamConfig,
        budget: BatchBudget,
        seed: int = 0,
        shuffle: bool = True,
        multiple: int = 16,
        rank: int | None = None,
        world_size: int | None = None,
    ) -> None:
        """`shards`: (N,) where each sample lies, ascending. Raises ConfigError when lanes and ranks do not fit."""
        self.stream, self._shards = stream, np.asarray(shards)
        super().__init__(
            sizes,
            lengths,
            budget=budget,
            seed=seed,
            shuffle=shuffle,
            multiple=multiple,
            rank=rank,
            world_size=world_size,
        )

    @property
    def kept(self) -> int:
        """Shards that this rank needs in memory at a time: those of one window in each of its lanes, and the next."""
        return len(self._counts[0]) // self.world_size * self._spread + 1

    def _prepare(self, sizes: npt.NDArray[Any], lengths: npt.NDArray[Any], multiple: int) -> int:
        wanted = self.stream.lanes
        if wanted % self.world_size or wanted < 1:
            raise ConfigError(f"{wanted} lanes cannot be dealt to {self.world_size} ranks: wanted a multiple of them")
        self._sizes, self._lengths, self._multiple = sizes, lengths, multiple
        self._costs = np.empty(self._samples)  # (N,) share of a batch that a sample takes
        for members, room in fill_buckets(sizes, lengths, self.budget, multiple):
            self._costs[members] = 1 / room
        if self._samples < wanted:
            raise ConfigError(f"{self._samples} samples are too few for {wanted} lanes: do not stream so small a set")
        for self._by_work in (True, False):
            if any(map(self._fits, _halved(wanted, self.world_size))):
                break
        return self._per_lane * len(self._counts[0]) // self.world_size

    def _fits(self, lanes: int) -> bool:
        """Whether every lane has a sample for each batch it must make; notes how many batches its windows give."""
        orders = [self._cut(order, lanes) for order in range(ORDERS if self.shuffle else 1)]
        if not all(len(lane) for order in orders for lane in order):
            return False
        cut = [[self._windows(lane, lanes) for lane in order] for order in orders]
        self._counts = [[[len(self._mix(window, 0)) for window in lane] for lane in order] for order in cut]
        self._spread = max(len(np.unique(self._shards[window])) for order in cut for lane in order for window in lane)
        self._per_lane = max(sum(counts) for order in self._counts for counts in order)
        fewest = min(len(lane) for order in orders for lane in order)
        if self._per_lane > fewest and self._by_work:
            return False
        self._per_lane = min(self._per_lane, fewest)  # a set of hardly more samples than batches joins some
        return True

    def _identity(self) -> dict[str, Any]:
        return {**super()._identity(), "lanes": self.stream.lanes, "window": self.stream.window, "orders": ORDERS}

    def _order(self) -> Iterator[Batch]:
        """A batch from each lane in turn."""
        order = self.epoch % ORDERS if self.shuffle else 0
        counts = self._counts[order]
        lanes = map(self._batches, self._cut(order, len(counts)), counts, range(len(counts)))
        return chain.from_iterable(zip(*lanes, strict=True))

    def _cut(self, order: int, lanes: int) -> list[npt.NDArray[np.int64]]:
        """The samples of every lane as they lie in the shards: each lane has its share of shards of every cost."""
        generator = np.random.default_rng([self.seed, order])
        shards, its = np.unique(self._shards, return_inverse=True)
        drawn = generator.permutation(len(shards))
        costs = np.bincount(its, self._costs) / np.bincount(its)
        ranked = drawn[np.argsort(costs[drawn], kind="stable")]
        alike = np.array_split(ranked, range(lanes, len(ranked), lanes))
        lane_of = np.concatenate([generator.permutation(lanes)[: len(part)] for part in alike])
        place = np.empty(len(shards), dtype=np.int64)
        place[ranked[np.lexsort([generator.permutation(len(ranked)), lane_of])]] = np.arange(len(ranked))
        sequence = np.argsort(place[its], kind="stable")
        if not self._by_work:
            return np.array_split(sequence, lanes)
        costs = self._costs[sequence]
        middles = np.cumsum(costs) - costs / 2
        return np.split(sequence, np.searchsorted(middles, costs.sum() * np.arange(1, lanes) / lanes))

    def _windows(self, lane: npt.NDArray[np.int64], lanes: int) -> list[npt.NDArray[np.int64]]:
        """As many in every lane, as each leaves batches that are not full."""
        return np.array_split(lane, min(len(lane), -(-self._samples // (lanes * self.stream.window))))

    def _batches(self, samples: npt.NDArray[np.int64], counts: list[int], lane: int) -> Iterator[Batch]:
        """The batches of a lane, exactly `_per_lane` of them: each window makes up its share of the difference."""
        windows = self._windows(samples, len(self._counts[0]))
        spare = np.cumsum([0, *(len(window) - count for window, count in zip(windows, counts, strict=True))])
        more = np.diff((self._per_lane - sum(counts)) * spare // max(1, spare[-1]))
        if self._per_lane < sum(counts):
            more = (self._per_lane - sum(counts)) * (np.arange(len(counts)) == np.argmax(counts))
        for window, count, extra in zip(windows, counts, more.tolist(), strict=True):
            yield from even_out(self._mix(window, lane), count + extra)

    def _mix(self, window: npt.NDArray[np.int64], lane: int) -> list[Batch]:
        """The samples of a window in batches, in an order drawn by lot."""
        buckets = fill_buckets(self._sizes[window], self._lengths[window], self.budget, self._multiple)
        epoch = self.epoch if self.shuffle else 0
        generator = np.random.default_rng([self.seed, epoch, lane, int(window[0])])
        return [window[batch].tolist() for batch in shuffle_batches(buckets, generator)]


def even_out(batches: list[Batch], wanted: int) -> list[Batch]:
    """Halves the largest batches, or joins the smallest, until there are so many; the others keep their places."""
    assert 1 <= wanted <= sum(map(len, batches)), "no batch is empty"
    while len(batches) > wanted:
        smallest = batches.pop(min(range(len(batches)), key=lambda place: len(batches[place])))
        target = min(range(len(batches)), key=lambda place: len(batches[place]))
        batches[target] = batches[target] + smallest
    while len(batches) < wanted:
        largest = max(range(len(batches)), key=lambda place: len(batches[place]))
        half = len(batches[largest]) // 2
        batches[largest : largest + 1] = [batches[largest][:half], batches[largest][half:]]
    return batches


def _halved(lanes: int, ranks: int) -> Iterator[int]:
    """The number of lanes, then half of it and so on, as long as that can be dealt to the ranks."""
    yield lanes
    while lanes % (2 * ranks) == 0:
        lanes //= 2
        yield lanes
