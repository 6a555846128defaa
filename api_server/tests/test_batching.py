"""Work of one kind runs together, the oldest first, and what nobody waits for never runs."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from api_server.batching import Batcher, Work
from api_server.metrics import Metrics


class Model:
    """Doubles numbers; remembers its batches; waits before each for `go_on`, once `has_begun` is set."""

    def __init__(self):
        self.batches = []
        self.has_begun = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()

    def double(self, items):
        self.batches.append(items)
        self.has_begun.set()
        assert self.go_on.wait(60)
        return [2 * item for item in items]

    def fail(self, items):
        raise RuntimeError("broken")


def with_batcher(test, seconds=0.0, threads=1):
    """Run `test(batcher, model)` on an event loop, with the batcher at work."""

    async def body():
        model, metrics = Model(), Metrics()
        with ThreadPoolExecutor(threads) as pool:
            batcher = Batcher(pool, threads, metrics, seconds)
            task = asyncio.create_task(batcher.run())
            try:
                await asyncio.wait_for(test(batcher, model), 60)
            finally:
                model.go_on.set()
                task.cancel()
        return metrics

    return asyncio.run(body())


async def block(batcher, model):
    """Occupy the model, so that what follows has to wait; returns the task that waits for it."""
    model.go_on.clear()
    first = asyncio.create_task(batcher.answer(Work("first", model.double, 0)))
    await asyncio.to_thread(model.has_begun.wait, 60)
    return first


async def ask(batcher, model, kind, *items, most=10):
    tasks = [asyncio.create_task(batcher.answer(Work(kind, model.double, item, 1 / most))) for item in items]
    await asyncio.sleep(0)
    return tasks


def test_each_gets_its_own_answer_and_one_kind_runs_together():
    async def test(batcher, model):
        await block(batcher, model)
        mixed = [
            *await ask(batcher, model, "a", 1, 2),
            *await ask(batcher, model, "b", 10),
            *await ask(batcher, model, "a", 3),
        ]
        model.go_on.set()
        assert [answer for answer, _ in await asyncio.gather(*mixed)] == [2, 4, 20, 6]
        assert model.batches == [[0], [1, 2, 3], [10]]

    metrics = with_batcher(test)
    assert "im2latex_batch_size_sum 5.0" in metrics.text().decode()


def test_what_arrives_within_the_wait_runs_together():
    async def test(batcher, model):
        tasks = await ask(batcher, model, "a", 1, most=2)
        await asyncio.sleep(0.01)
        tasks += await ask(batcher, model, "a", 2, most=2)
        await asyncio.gather(*tasks)
        assert model.batches == [[1, 2]]

    with_batcher(test, seconds=60)


def test_a_batch_holds_no_more_than_it_may():
    async def test(batcher, model):
        await block(batcher, model)
        tasks = await ask(batcher, model, "a", 1, 2, 3, 4, 5, most=2)
        model.go_on.set()
        await asyncio.gather(*tasks)
        assert model.batches == [[0], [1, 2], [3, 4], [5]]

    with_batcher(test)


def test_a_thread_that_is_free_runs_the_next_batch_beside_the_first():
    async def test(batcher, model):
        first = await block(batcher, model)
        second, third = await ask(batcher, model, "second", 1), await ask(batcher, model, "third", 2)
        while len(model.batches) < 2:
            await asyncio.sleep(0.01)
        assert model.batches == [[0], [1]], "there are two threads, and not three"
        model.go_on.set()
        assert [(await task)[0] for task in (first, *second, *third)] == [0, 2, 4]

    with_batcher(test, threads=2)


def test_what_nobody_waits_for_never_runs():
    async def test(batcher, model):
        await block(batcher, model)
        kept, left = await ask(batcher, model, "a", 1, 2)
        left.cancel()
        await asyncio.sleep(0)
        model.go_on.set()
        assert (await kept)[0] == 2
        assert model.batches == [[0], [1]]

    with_batcher(test)


def test_who_leaves_during_a_batch_takes_nothing_from_the_others():
    async def test(batcher, model):
        left = await block(batcher, model)
        left.cancel()
        (kept,) = await ask(batcher, model, "a", 1)
        model.go_on.set()
        assert (await kept)[0] == 2

    with_batcher(test)


def test_a_failure_is_the_answer_to_its_own_batch_only():
    async def test(batcher, model):
        broken = asyncio.create_task(batcher.answer(Work("broken", model.fail, 1)))
        with pytest.raises(RuntimeError, match="broken"):
            await broken
        (kept,) = await ask(batcher, model, "a", 1)
        assert (await kept)[0] == 2

    with_batcher(test)
