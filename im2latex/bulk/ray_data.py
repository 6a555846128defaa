"""The engine of a cluster: Ray Data hands the shards to actors, each with its model, and replaces those that die."""

import os
import socket
from pathlib import Path
from typing import Any

import ray
from ray.data import ActorPoolStrategy, DataContext
from ray.exceptions import AuthenticationError

from im2latex.bulk.progress import Progress
from im2latex.bulk.worker import Worker
from im2latex.errors import DataError

AHEAD = 2
"""Shards that wait before each actor: one is there as soon as another is done, and few are lost with the actor."""
PATIENCE = 10.0
"""Seconds until a head that does not answer is held to be absent."""
SMALLEST_SHARES = 10_000
"""Into so many parts Ray divides a GPU at most."""


class ShardReader:
    """What an actor does: a worker, and the shards that come."""

    def __init__(self, out: str, bundle: str) -> None:
        self.worker = Worker(Path(out), Path(bundle))

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Read the shards of a batch, unless they are there: a task that is tried again may have been done."""
        counts = [self.read(int(shard)) for shard in batch["item"]]
        return {"read": [read for read, _ in counts], "failed": [failed for _, failed in counts]}

    def read(self, shard: int) -> tuple[int, int]:
        """Read a shard; returns how many pictures were read, and how many failed."""
        return self.worker.count(shard) if self.worker.sink.part(shard).is_file() else self.worker.read(shard)


def run_ray(
    out: Path, bundle: Path, shards: list[int], workers: int, progress: Progress, address: str | None = None
) -> None:
    """Read all shards on a cluster, or on one that is started here; every node must see the same source and output."""
    connect(address, workers)
    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.execution_options.preserve_order = False
    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    counts = ray.data.from_items(shards, override_num_blocks=len(shards)).map_batches(
        ShardReader,
        batch_size=1,
        fn_constructor_kwargs={"out": str(out), "bundle": str(bundle)},
        compute=ActorPoolStrategy(size=min(workers, len(shards)), max_tasks_in_flight_per_actor=AHEAD),
        num_cpus=1,
        num_gpus=gpu_share(workers, int(resources.get("GPU", 0))),
    )
    for row in counts.iter_rows():
        progress.add(int(row["read"]), int(row["failed"]))


def connect(address: str | None, workers: int) -> None:
    """Join a cluster, or start one that is ours alone; raises DataError when nobody there lets us in."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a cluster that we start tells its makers nothing
    try:
        if address is None:
            ray.init("local", num_cpus=workers, log_to_driver=False, include_dashboard=False)
        else:
            check_reachable(address)
            ray.init(address, log_to_driver=False)
    except (OSError, AuthenticationError) as error:
        raise DataError(f"no Ray cluster lets us in at {address or 'this machine'}: {error}") from error


def check_reachable(address: str) -> None:
    """Raises OSError unless somebody listens at HOST:PORT; Ray itself would try for minutes. Other words are Ray's."""
    host, _, port = address.rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), PATIENCE).close()


def gpu_share(workers: int, gpus: int) -> float:
    """What each worker asks of a GPU, so that all of them find a place; 0 where there is none."""
    if not gpus:
        return 0.0
    each = -(-workers // gpus)
    return (SMALLEST_SHARES // each) / SMALLEST_SHARES
