#!/usr/bin/env python
"""The figures of bulk recognition and of streaming, on an idle machine: `python tasks/bulk_benchmark.py --help`."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from im2latex.tests.processes import descendants

ROOT = Path(__file__).parents[1]
SMALL = ROOT / "im2latex/data/small"
BASELINE = """
import sys, time, torch, pyarrow.parquet as pq
from im2latex import Predictor
torch.set_num_threads(1)
pictures = pq.read_table(sys.argv[1])["image"].to_pylist()
predictor = Predictor.load(sys.argv[2] or None)
predictor.warm_up()
started = time.perf_counter()
for start in range(0, len(pictures), 64):
    predictor.predict_batch(pictures[start : start + 64])
print(time.perf_counter() - started)
"""


def write_pictures(folder: Path, path: Path, count: int) -> Path:
    """So many pictures of a packed set, again and again if it has fewer, in one Parquet file."""
    def all_pictures() -> Iterator[bytes]:
        for file in cycle(sorted(folder.rglob("shard-*.parquet"))):
            yield from pq.read_table(file, columns=["image"], partitioning=None)["image"].to_pylist()

    table = pa.table({"image": pa.array(islice(all_pictures(), count), pa.binary())})
    pq.write_table(table, path, compression="none", row_group_size=8192)
    return path


def run_batch(source: Path, out: Path, workers: int, engine: str, arguments: argparse.Namespace) -> float:
    """Wall seconds of the command, start included."""
    started = time.perf_counter()
    with start_batch(source, out, workers, engine, arguments) as process:
        process.wait()
    return round(time.perf_counter() - started, 1)


def peak_memory(source: Path, out: Path, arguments: argparse.Namespace) -> float:
    """The most memory that the command and its two workers had, MB, summed. Looking costs time: no time is told."""
    peak = 0.0
    with start_batch(source, out, 2, "local", arguments) as process:
        while process.poll() is None:
            peak = max(peak, sum(map(megabytes, [process.pid, *descendants(process.pid)])))
            time.sleep(0.5)
    return round(peak, 1)


@contextmanager
def start_batch(
    source: Path, out: Path, workers: int, engine: str, arguments: argparse.Namespace
) -> Iterator[subprocess.Popen[bytes]]:
    """The command as a process, into an empty folder; ends the program if it fails."""
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "im2latex.cli", "batch", str(source), "--out", str(out), f"--engine={engine}"]
    command += [f"--shard-size={arguments.shard_size}"]
    command += [f"--bundle={arguments.bundle}"] if arguments.bundle else []
    with subprocess.Popen([*command, f"--workers={workers}"], cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        yield process
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}")


def megabytes(pid: int) -> float:
    """Memory of a process, its share of what it shares with others."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return int(next((line.split()[1] for line in lines if line.startswith("Pss:")), "0")) / 1024


def measure_speed(arguments: argparse.Namespace, folder: Path, engine: str) -> dict[str, Any]:
    """Two workers of one thread against one."""
    source = write_pictures(arguments.source, folder / "pictures.parquet", arguments.pictures)
    runs = {workers: run_batch(source, folder / "out", workers, engine, arguments) for workers in (1, 2)}
    return {"1_worker_s": runs[1], "2_workers_s": runs[2], "speed_up": round(runs[1] / runs[2], 3)}


def measure_overhead(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The command with one worker against predict_batch on the same pictures, 64 at a time as they come."""
    source = write_pictures(arguments.source, folder / "pictures.parquet", arguments.pictures)
    baseline = float(subprocess.check_output([sys.executable, "-c", BASELINE, source, arguments.bundle], cwd=ROOT))
    batch = run_batch(source, folder / "out", 1, "local", arguments)
    return {"predict_batch_s": round(baseline, 1), "batch_s": batch, "overhead": round(batch / baseline - 1, 3)}


def measure_memory(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """A tenth of the pictures against all of them."""
    peaks = []
    for count in (arguments.pictures // 10, arguments.pictures):
        source = write_pictures(arguments.source, folder / "pictures.parquet", count)
        peaks.append(peak_memory(source, folder / "out", arguments))
    return {"a_tenth_mb": peaks[0], "all_mb": peaks[1], "growth": round(peaks[1] / peaks[0] - 1, 3)}


def measure_streaming(arguments: argparse.Namespace) -> dict[str, Any]:
    """Samples a second of the loader alone, from memory and from the shards: training cannot lose more."""
    from im2latex.data.im2latex100k import DataConfig, Im2Latex100K
    from im2latex.data.stream_order import StreamConfig
    from im2latex.images import ImageSpec

    rates = {}
    for name, is_streamed in (("memory", False), ("stream", True)):
        streaming = StreamConfig(lanes=arguments.lanes)
        data = Im2Latex100K(
            DataConfig(path=str(arguments.train), stream=is_streamed, streaming=streaming, verify=False), ImageSpec()
        )
        loader = data.train_dataloader()
        started, seen = time.perf_counter(), 0
        for batch in loader:
            seen += len(batch.indices)
            if seen >= arguments.pictures:
                break
        rates[name] = seen / (time.perf_counter() - started)
    return {**{name: round(rate, 1) for name, rate in rates.items()}, "ratio": rates["stream"] / rates["memory"]}


PARTS: dict[str, Callable[[argparse.Namespace, Path], dict[str, Any]]] = {
    "local": lambda arguments, folder: measure_speed(arguments, folder, "local"),
    "ray": lambda arguments, folder: measure_speed(arguments, folder, "ray"),
    "overhead": measure_overhead,
    "memory": measure_memory,
    "streaming": lambda arguments, folder: measure_streaming(arguments),
}


def main() -> None:
    """Measure each part; print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--shard-size", type=int, default=1024, help="64 for 1,000 pictures: 2 workers need several")
    parser.add_argument("--bundle", default="", help="another model than the one that ships")
    parser.add_argument("--source", type=Path, default=SMALL, help="packed set whose pictures are read")
    parser.add_argument("--train", type=Path, default=SMALL, help="data set that is loaded for training")
    parser.add_argument("--lanes", type=int, default=8)
    arguments = parser.parse_args()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    for name in arguments.parts:
        with tempfile.TemporaryDirectory(prefix="im2latex-") as folder:
            print(json.dumps({name: PARTS[name](arguments, Path(folder))}, indent=2), flush=True)


if __name__ == "__main__":
    main()
