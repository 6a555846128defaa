"""The engine of one machine: processes that read a shard each; one that dies is replaced, and its shard read again."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from im2latex.bulk.progress import Progress
from im2latex.errors import DataError, Im2LatexError

METHOD = "forkserver"
"""How workers start: forked from a process that has loaded torch and done nothing else, so in no time."""
BARREN = 20
"""Workers that die in a row with nothing new read: far more than it takes to find a picture that kills them."""


@dataclass
class Seat:
    """A worker process, and how far it has come with its shard."""

    process: Any
    connection: Connection
    shard: int | None = None
    read: int = 0
    failed: int = 0


def run_local(out: Path, bundle: Path, shards: Iterable[int], workers: int, progress: Progress) -> None:
    """Read all shards; raises DataError when workers die whatever they are given, or cannot load the bundle."""
    Office(out, bundle, deque(shards), progress).run(workers)


class Office:
    """Hands out shards until there are none left."""

    def __init__(self, out: Path, bundle: Path, waiting: deque[int], progress: Progress) -> None:
        self.out, self.bundle, self.waiting, self.progress = out, bundle, waiting, progress
        self.context: Any = multiprocessing.get_context(METHOD)
        self.context.set_forkserver_preload(["im2latex.bulk.worker"])
        self.seats: list[Seat] = []
        self.barren = 0

    def run(self, workers: int) -> None:
        """Returns when every shard is read."""
        try:
            for _ in range(min(workers, len(self.waiting))):
                self.seats.append(self.hire())
            while self.seats:
                ready = wait([seat.connection for seat in self.seats])
                for seat in [seat for seat in self.seats if seat.connection in ready]:
                    self.listen(seat)
        finally:
            for seat in self.seats:
                seat.process.kill()

    def hire(self) -> Seat:
        """Start a worker; it tells when it is ready."""
        ours, theirs = self.context.Pipe()
        process = self.context.Process(target=work, args=(theirs, self.out, self.bundle), daemon=True)
        process.start()
        theirs.close()
        return Seat(process, ours)

    def listen(self, seat: Seat) -> None:
        """Take what a worker tells; a closed connection tells that it has died."""
        try:
            kind, value = seat.connection.recv()
        except (EOFError, OSError):
            self.replace(seat)
            return
        if kind == "failed":
            raise DataError(value)
        if kind == "batch":
            self.barren = 0
            seat.read, seat.failed = seat.read + value[0], seat.failed + value[1]
            self.progress.add(*value)
        else:  # ready, or done with its shard
            seat.shard = None
            self.hand_out(seat)

    def hand_out(self, seat: Seat) -> None:
        """Give the worker its next shard, or leave."""
        seat.read = seat.failed = 0
        seat.shard = self.waiting.popleft() if self.waiting else None
        try:
            seat.connection.send(seat.shard)
        except OSError:
            return  # it has died, as its connection will tell
        if seat.shard is None:
            self.seats.remove(seat)
            seat.process.join()

    def replace(self, seat: Seat) -> None:
        """A worker has died: what it had not kept is to be read again."""
        seat.process.kill()
        seat.connection.close()
        self.seats.remove(seat)
        self.barren += 1
        if self.barren >= BARREN:
            raise DataError("workers die one after the other and read nothing: is there memory enough?")
        self.progress.add(-seat.read, -seat.failed)
        if seat.shard is not None:
            self.waiting.appendleft(seat.shard)
        if self.waiting:
            self.seats.append(self.hire())


def work(connection: Connection, out: Path, bundle: Path) -> None:
    """What a worker process does: shards as they come, until None comes, or nobody is there any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all: the driver ends its workers itself
    threading.Thread(target=follow_parent, daemon=True).start()
    from im2latex.bulk.worker import Worker  # loads torch, which the driver does not need

    try:
        worker = Worker(out, bundle)
    except (Im2LatexError, RuntimeError) as error:
        connection.send(("failed", str(error)))
        return
    connection.send(("ready", None))
    while (shard := connection.recv()) is not None:
        try:
            counts = worker.read(shard, lambda *counts: connection.send(("batch", counts)))
        except OSError as error:  # of the output: a picture that cannot be read is no error here
            connection.send(("failed", f"the rows cannot be kept: {error}"))
            return
        connection.send(("done", counts))


def follow_parent() -> None:
    """End with the driver, also when that is killed: two runs must not work on one folder."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "workers are started by a driver"
    parent.join()
    os._exit(1)
