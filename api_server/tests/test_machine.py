"""The model gets the cores this process may use, and no more."""

import os
import platform
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from api_server.machine import NICENESS, give_back_memory, model_threads, prepare_thread, usable_cores


@pytest.mark.parametrize(("quota", "most"), [("100000 100000", 1), ("150000 100000", 2), ("50000 100000", 1)])
def test_a_container_is_believed(tmp_path, quota, most):
    path = tmp_path / "cpu.max"
    path.write_text(quota)
    assert 1 <= usable_cores(path) <= most


@pytest.mark.parametrize("quota", ["max 100000", None])
def test_without_a_quota_it_is_what_the_process_may_run_on(tmp_path, quota):
    path = tmp_path / "cpu.max"
    if quota:
        path.write_text(quota)
    assert usable_cores(path) == len(os.sched_getaffinity(0))


def test_threads_are_as_set_and_the_environment_has_the_word_before_the_machine(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert model_threads(3) == 3
    assert model_threads(0) == 5
    monkeypatch.setenv("OMP_NUM_THREADS", "0")
    assert model_threads(0) == usable_cores()
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert model_threads(0) == usable_cores()


@pytest.mark.skipif(sys.platform != "linux", reason="threads have a rank of their own on Linux only")
def test_the_thread_of_the_model_and_those_it_starts_yield_to_the_others():
    def niceness():
        with ThreadPoolExecutor(1) as another:
            started = another.submit(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id())).result()
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id()), started

    before = os.getpriority(os.PRIO_PROCESS, 0)
    with ThreadPoolExecutor(1, initializer=prepare_thread) as model:
        assert model.submit(niceness).result() == (NICENESS, NICENESS)
    assert niceness() == (before, before)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator has ways of its own")
def test_what_was_freed_goes_back_to_the_system():
    def resident():
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    pieces = [bytes(2**12) for _ in range(2**14)]  # 64 MiB, from the heap
    last = pieces.pop()  # above them, so that the heap cannot shrink
    del pieces
    kept = resident()
    give_back_memory()
    assert kept - resident() > 2**25
    assert last
