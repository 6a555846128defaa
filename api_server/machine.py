"""How many cores this process may really use, and the threads that work on pictures."""

import ctypes
import math
import os
import sys
import threading
from pathlib import Path

import torch

CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""Where a container finds its share of the processor: "max 100000", or "200000 100000" for two cores."""


NICENESS = 10
"""Of the threads that work on pictures: so the one that answers, and refuses, need not wait for a core."""


def usable_cores(quota: Path = CPU_QUOTA) -> int:
    """Cores that the process may run on, and that its container may keep busy; at least 1."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if quota.is_file():
        share, period = quota.read_text().split()
        if share != "max":
            allowed = min(allowed, math.ceil(int(share) / int(period)))
    return max(1, allowed)


def give_back_memory() -> None:
    """Hand what was freed back to the system, some 5 ms; glibc alone keeps it, and is asked."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
        if trim is not None:
            trim(0)


def step_back() -> None:
    """Let the calling thread, and those it starts, yield to the rest of the process; where threads have a rank."""
    if sys.platform == "linux":  # elsewhere niceness is that of the whole process
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


def model_threads(threads: int) -> int:
    """Threads of the model, each of which reads a batch of its own: `threads`; for 0 OMP_NUM_THREADS, or one a core."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    return threads or (int(said) if said.isdecimal() else 0) or usable_cores()


def prepare_thread() -> None:
    """What each thread that works on pictures does first: two that share one are hardly faster than one alone."""
    step_back()
    torch.set_num_threads(1)
