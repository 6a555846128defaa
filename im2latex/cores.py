"""How PyTorch runs what reads: without gradients, and on which threads.

Two threads that share a batch read it hardly sooner than one alone.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")


@contextmanager
def running() -> Iterator[None]:
    """How what lies in a bundle is run: without gradients, and as it was saved.

    TorchScript would take 0.3 s to optimise what it runs first, which is none the faster for it.
    """
    with torch.inference_mode(), torch.jit.optimized_execution(False):  # type: ignore[attr-defined]
        yield


@contextmanager
def one_thread() -> Iterator[None]:
    """What is done here in PyTorch is done by one thread."""
    threads = torch.get_num_threads()
    if threads > 1:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        if threads > 1:
            torch.set_num_threads(threads)


def on_each_core(work: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """`work` of each item, in order; on as many threads as PyTorch may use here, each of which keeps to itself.

    Raises what `work` raises. Nothing starts a thread where PyTorch has one only; a single item may use them all.
    """
    threads = torch.get_num_threads()
    if threads == 1 or len(items) < 2:
        return [work(item) for item in items]
    with one_thread(), ThreadPoolExecutor(min(threads, len(items)), "read", torch.set_num_threads, (1,)) as pool:
        return list(pool.map(work, items))
