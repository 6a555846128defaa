"""How many cores this process may really use, and the threads of the model set to that."""

import math
import os
import sys
import threading
from pathlib import Path

import torch

CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""Where a container finds its share of the processor: "max 100000", or "200000 100000" for two cores."""


NICENESS = 10
"""Of the threads that multiply: so the one that answers, and refuses, need not wait for a core."""


def usable_cores(quota: Path = CPU_QUOTA) -> int:
    """Cores that the process may run on, and that its container may keep busy; at least 1."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if quota.is_file():
        share, period = quota.read_text().split()
        if share != "max":
            allowed = min(allowed, math.ceil(int(share) / int(period)))
    return max(1, allowed)


def step_back() -> None:
    """Let the calling thread, and those it starts, yield to the rest of the process; where threads have a rank."""
    if sys.platform == "linux":  # elsewhere niceness is that of the whole process
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


def set_threads(threads: int) -> None:
    """Set the threads of the model; 0 for one a core, unless OMP_NUM_THREADS has already said how many."""
    if threads or "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(threads or usable_cores())


def prepare_thread(threads: int) -> None:
    """What the model's own thread does first."""
    step_back()  # before torch starts the others
    set_threads(threads)
