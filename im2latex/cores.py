"""Work on all cores, one thread on each: two threads that share a batch read it hardly sooner than one alone."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")


def on_each_core(work: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """`work` of each item, in order; on as many threads as PyTorch may use here, each of which keeps to itself.

    Raises what `work` raises. Nothing starts a thread where PyTorch has one only, or where there is one item.
    """
    threads = torch.get_num_threads()
    if threads == 1:
        return [work(item) for item in items]
    torch.set_num_threads(1)
    try:
        if len(items) < 2:
            return [work(item) for item in items]
        with ThreadPoolExecutor(min(threads, len(items)), "read", torch.set_num_threads, (1,)) as pool:
            return list(pool.map(work, items))
    finally:
        torch.set_num_threads(threads)
