"""StreamBatchSampler: an order of batches that a few shards in memory can serve, shuffled nearly as well as all."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from im2latex.data.sampler import Batch, BatchBudget, BucketBatchSampler, fill_buckets, shuffle_batches
from im2latex.errors import ConfigError

SPARE = 1.005
"""Batches of a lane, against those of the first epoch: a little more, as their number must stay the same in all."""


@dataclass(frozen=True)
class StreamConfig:
    """How far samples are mixed, which is also how many are in memory."""

    lanes: int = 8
    """Places of the set that are read at a time; each rank reads its part of them, so a multiple of the ranks."""
    window: int = 16_384
    """Samples of a lane that are mixed with each other."""


class StreamBatchSampler(BucketBatchSampler):
    """The promises of BucketBatchSampler, for samples that lie in shards and are not all in memory.

    In every epoch the shards are put in an order drawn by lot and cut into lanes; each lane is cut into windows; the
    samples of a window make batches as those of a whole set would; batches come from all lanes in turn. Rank r of W
    reads the lanes r, r + W, ... and no others. The order does not depend on W.
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
        per_shard = max(1, len(self._shards) // len(np.unique(self._shards)))
        return (self.stream.lanes // self.world_size) * (-(-self.stream.window // per_shard) + 1) + 1

    def _prepare(self, sizes: npt.NDArray[Any], lengths: npt.NDArray[Any], multiple: int) -> int:
        lanes = self.stream.lanes
        if lanes % self.world_size or lanes < 1:
            raise ConfigError(f"{lanes} lanes cannot be dealt to {self.world_size} ranks: wanted a multiple of them")
        if self._samples < lanes:
            raise ConfigError(f"{self._samples} samples are too few for {lanes} lanes: do not stream so small a set")
        self._sizes, self._lengths, self._multiple = sizes, lengths, multiple
        counts = [sum(len(self._mix(window, 0)) for window in windows) for windows in self._lanes()]
        self._per_lane = min(self._samples // lanes, int(max(counts) * SPARE) + 2)
        return self._per_lane * lanes // self.world_size

    def _identity(self) -> dict[str, Any]:
        return {**super()._identity(), "lanes": self.stream.lanes, "window": self.stream.window}

    def _order(self) -> Iterator[Batch]:
        """A batch from each lane in turn."""
        return chain.from_iterable(zip(*map(self._batches, self._lanes(), range(self.stream.lanes)), strict=True))

    def _lanes(self) -> list[list[npt.NDArray[np.int64]]]:
        """The windows of every lane in this epoch: samples as they lie in the shards."""
        order = self._generator().permutation(np.unique(self._shards))
        place = np.empty(int(order.max()) + 1, dtype=np.int64)
        place[order] = np.arange(len(order))
        sequence = np.argsort(place[self._shards], kind="stable")
        lanes = np.array_split(sequence, self.stream.lanes)
        return [np.array_split(lane, -(-len(lane) // self.stream.window)) for lane in lanes]

    def _batches(self, windows: list[npt.NDArray[np.int64]], lane: int) -> Iterator[Batch]:
        """The batches of a lane, exactly `_per_lane` of them: its last window makes up the difference."""
        left = self._per_lane
        for window in windows[:-1]:
            batches = self._mix(window, lane)
            left -= len(batches)
            yield from batches
        yield from even_out(self._mix(windows[-1], lane), left)

    def _mix(self, window: npt.NDArray[np.int64], lane: int) -> list[Batch]:
        """The samples of a window in batches, in an order drawn by lot."""
        buckets = fill_buckets(self._sizes[window], self._lengths[window], self.budget, self._multiple)
        epoch = self.epoch if self.shuffle else 0
        generator = np.random.default_rng([self.seed, epoch, lane, int(window[0])])
        return [window[batch].tolist() for batch in shuffle_batches(buckets, generator)]


def even_out(batches: list[Batch], wanted: int) -> list[Batch]:
    """Halves the largest batches, or joins the smallest, until there are so many; the others keep their places."""
    while len(batches) < wanted:
        largest = max(range(len(batches)), key=lambda place: len(batches[place]))
        half = len(batches[largest]) // 2
        batches[largest : largest + 1] = [batches[largest][:half], batches[largest][half:]]
    while len(batches) > max(wanted, 1):
        smallest = batches.pop(min(range(len(batches)), key=lambda place: len(batches[place])))
        target = min(range(len(batches)), key=lambda place: len(batches[place]))
        batches[target] = batches[target] + smallest
    return batches
