"""A cold start: from the start of a process to its first answer, and the most memory it held."""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from im2latex.errors import ConfigError
from training.provenance import ROOT


@dataclass(frozen=True)
class Start:
    """The median of some starts of `im2latex predict` with one picture."""

    seconds: float
    """On the wall, until the formula was printed."""
    cpu_seconds: float
    """Of all threads, until the process ended."""
    peak_megabytes: float
    starts: int


def measure_start(picture: bytes, bundle: str | None, starts: int) -> Start:
    """Start real processes; raises ConfigError when one of them reads nothing."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "picture.png"
        file.write_bytes(picture)
        command = [sys.executable, "-m", "im2latex.cli", "predict", str(file)]
        found = sorted(_start(command + (["--bundle", bundle] if bundle else [])) for _ in range(starts))
    seconds, cpu_seconds, megabytes = found[len(found) // 2]
    return Start(seconds, cpu_seconds, megabytes, starts)


def _start(command: list[str]) -> tuple[float, float, float]:
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    answered = process.stdout.readline()
    seconds = time.perf_counter() - started
    process.stdout.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode or not answered:
        raise ConfigError(f"im2latex predict ended with {process.returncode} and read nothing")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024
