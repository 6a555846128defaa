"""A worker: the model, loaded once, and the shards that it is told to read; every engine runs this."""

from collections.abc import Callable
from pathlib import Path

import torch

from im2latex.bulk.attempts import Attempts
from im2latex.bulk.core import read_pictures
from im2latex.bulk.device import move
from im2latex.bulk.plan import Entries, read_plan
from im2latex.bulk.readers import Reader
from im2latex.bulk.rows import Failure
from im2latex.bulk.sink import Sink
from im2latex.checker import Checker
from im2latex.predictor import Predictor


def ignore(read: int, failed: int) -> None:
    """Tell nobody how far a shard has come."""


class Worker:
    """Reads shards of a planned run."""

    def __init__(self, out: Path, bundle: Path) -> None:
        """One thread, since engines start a worker a core; on the GPU if there is one."""
        torch.set_num_threads(1)
        self.sink, self.entries, self.plan = Sink(out), Entries(out), read_plan(out)
        self.reader = Reader()
        self.predictor = (Checker if self.plan.settings.check else Predictor).load(bundle)
        if torch.cuda.is_available():
            self.predictor = move(self.predictor, torch.device("cuda"))
        self.predictor.warm_up()

    def read(self, shard: int, on_batch: Callable[[int, int], None] = ignore) -> tuple[int, int]:
        """Read a shard and keep its rows; returns how many pictures were read, and how many failed."""
        attempts = Attempts(self.sink.attempts(shard))
        pictures = map(self.reader.read, self.entries.of(shard))
        found = list(read_pictures(self.predictor, pictures, self.plan.settings, attempts, on_batch))
        self.sink.write(shard, found)
        attempts.forget()
        failed = sum(isinstance(one, Failure) for one in found)
        return len(found) - failed, failed

    def count(self, shard: int) -> tuple[int, int]:
        """How many pictures of a shard that is there were read, and how many failed."""
        read = self.sink.rows_of(shard)
        return read, self.plan.size_of(shard) - read
