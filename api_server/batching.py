"""The queue before the model: pictures that arrive close together run together, off the event loop."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from api_server.metrics import Metrics

ROUNDING = 1e-9
"""Shares that should sum to 1 may sum to so much more."""


@dataclass(frozen=True)
class Work:
    """Something wanted of the model."""

    kind: Hashable
    """Only work of one kind runs together."""
    run: Callable[[list[Any]], Sequence[Any]]
    """Takes the items of a batch and returns an answer each; alike for all work of one kind."""
    item: Any
    share: float = 1.0
    """Of a batch: those that run together have at most 1 in all, or are alone."""


@dataclass
class Job:
    """Work that waits, and the future its answer goes to; who no longer waits for it cancels the future."""

    work: Work
    answer: "asyncio.Future[tuple[Any, float]]"
    arrived: float = field(default_factory=time.monotonic)


class Batcher:
    """Runs work on the model's threads, batch after batch on each; lives on the event loop."""

    def __init__(self, model: Executor, threads: int, metrics: Metrics, seconds: float) -> None:
        """`model` has so many `threads`; `seconds` is how long work waits for more of its kind."""
        self.model = model
        self.threads = threads
        self.metrics = metrics
        self.seconds = seconds
        self.waiting: deque[Job] = deque()
        self.arrival = asyncio.Event()
        self.done = asyncio.Event()  # since somebody last cleared it, a batch has run

    async def answer(self, work: Work) -> tuple[Any, float]:
        """Wait for an answer and the seconds its batch took; when this is cancelled first, the work never starts."""
        job = Job(work, asyncio.get_running_loop().create_future())
        self.waiting.append(job)
        self.arrival.set()
        return await job.answer

    async def run(self) -> None:
        """Run batches until cancelled; the lifespan holds this task."""
        free = asyncio.Semaphore(self.threads)
        async with asyncio.TaskGroup() as running:
            while True:
                await free.acquire()
                batch = running.create_task(self.run_batch(await self.next_batch()))
                batch.add_done_callback(lambda _: free.release())

    async def next_batch(self) -> list[Job]:
        """Take the oldest job and those that run with it, once they are many enough or it has waited long enough."""
        while True:
            self.arrival.clear()
            self.waiting = deque(job for job in self.waiting if not job.answer.done())
            if not self.waiting:
                await self.arrival.wait()
                continue
            oldest = self.waiting[0]
            batch = take(job for job in self.waiting if job.work.kind == oldest.work.kind)
            patience = oldest.arrived + self.seconds - time.monotonic()
            if patience <= 0 or is_full(batch):
                self.waiting = deque(job for job in self.waiting if not any(job is taken for taken in batch))
                return batch
            with suppress(TimeoutError):
                await asyncio.wait_for(self.arrival.wait(), patience)

    async def run_batch(self, batch: list[Job]) -> None:
        """Run a batch and hand out its answers; a failure is the answer to its own batch only."""
        self.metrics.batch_size.observe(len(batch))
        started = time.perf_counter()
        items = [job.work.item for job in batch]
        try:
            answers = await asyncio.get_running_loop().run_in_executor(self.model, batch[0].work.run, items)
        except Exception as error:  # noqa: BLE001  (raised again where the answer is awaited)
            for job in batch:
                if not job.answer.done():
                    job.answer.set_exception(error)
            return
        finally:
            self.done.set()
        seconds = time.perf_counter() - started
        self.metrics.model_seconds.observe(seconds)
        for job, answer in zip(batch, answers, strict=True):
            if not job.answer.done():
                job.answer.set_result((answer, seconds))


def is_full(batch: Sequence[Job]) -> bool:
    """Whether there is no room for another like the last."""
    return sum(job.work.share for job in batch) + batch[-1].work.share > 1 + ROUNDING


def take(jobs: Iterable[Job]) -> list[Job]:
    """The first of some jobs, and those after it as long as there is room in its batch."""
    batch: list[Job] = []
    room = 1.0
    for job in jobs:
        if batch and job.work.share > room + ROUNDING:
            break
        batch.append(job)
        room -= job.work.share
    return batch
