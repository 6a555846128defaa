"""`im2latex batch`: flags, the choice of an engine, and what is said at the end."""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonargparse import ArgumentParser, Namespace
from jsonargparse.typing import PositiveInt

from im2latex.errors import ConfigError, DataError
from im2latex.rendering.tex import require_rendering
from im2latex.shipped import find_model

if TYPE_CHECKING:
    from im2latex.bulk.plan import Plan
    from im2latex.bulk.rows import Settings

NEEDS = {"batch": ("pyarrow", "latex2mathml"), "ray": ("ray",)}
"""Packages beyond those of the library, by the extra that brings them."""
INTERRUPTED = 130
LOCK = ".lock"


def batch_parser() -> ArgumentParser:
    """The flags of the command."""
    parser = ArgumentParser(
        description="Read very many pictures into Parquet files. Stopped, even by kill -9, the same command goes on."
    )
    parser.add_argument("source", metavar="SOURCE", help="folder, glob, zip, tar, or Parquet with an image column")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for rows, errors.parquet and summary.json")
    parser.add_argument("--engine", choices=["local", "ray"], default="local", help="who runs the workers")
    parser.add_argument("--workers", type=PositiveInt, metavar="N", help="of one thread each; default: one a core")
    parser.add_argument("--address", metavar="A", help="of a Ray cluster that runs already")
    parser.add_argument("--formats", default="latex", metavar="F", help="latex, mathml, or both with a comma")
    parser.add_argument("--bundle", metavar="F", help="another model: a file, or handwriting")
    parser.add_argument("--beam", type=PositiveInt, default=1, metavar="N", help="width of the beam search")
    parser.add_argument(
        "--check", action="store_true", help="take the reading that, rendered, looks like the picture (needs LaTeX)"
    )
    parser.add_argument("--batch-size", type=PositiveInt, default=64, metavar="N", help="pictures at a time")
    parser.add_argument("--shard-size", type=PositiveInt, default=1024, metavar="N", help="pictures in a file of rows")
    return parser


def run_batch(arguments: Namespace) -> int:
    """Read all that is not yet read; exit code 0, also when some pictures could not be, or 130 when interrupted."""
    require("batch")
    if arguments.engine == "ray":
        require("ray")
    if arguments.check:
        require_rendering()
    from im2latex.bulk.plan import make_plan
    from im2latex.bulk.sink import Sink

    settings = to_settings(arguments)
    if arguments.address and arguments.engine != "ray":
        raise ConfigError("--address is of a Ray cluster: add --engine ray")
    out, bundle = Path(arguments.out).resolve(), find_model(arguments.bundle).resolve()
    started = time.monotonic()
    with alone_in(out):
        plan = make_plan(arguments.source, out, bundle, settings, arguments.shard_size)
        try:
            read_shards(plan, out, bundle, arguments)
        except KeyboardInterrupt:
            print("im2latex: interrupted; the same command goes on from here", file=sys.stderr)
            return INTERRUPTED
        summary = Sink(out).finish(plan)
    say(summary, out, time.monotonic() - started)
    return 0


def to_settings(arguments: Namespace) -> "Settings":
    """How pictures are read; raises ConfigError for a format that is none."""
    from im2latex.bulk.rows import FORMATS, Settings

    asked = [name.strip() for name in arguments.formats.split(",") if name.strip()]
    unknown = sorted(set(asked) - set(FORMATS))
    if unknown or not asked:
        raise ConfigError(f"--formats {arguments.formats!r}, wanted some of {', '.join(FORMATS)}")
    formats = tuple(kind for kind in FORMATS if kind in asked)
    return Settings(arguments.beam, arguments.batch_size, formats, arguments.check)


def read_shards(plan: "Plan", out: Path, bundle: Path, arguments: Namespace) -> None:
    """Let the engine read the shards that are not there."""
    from im2latex.bulk.progress import Progress
    from im2latex.bulk.sink import Sink

    done = Sink(out).done()
    missing = [shard for shard in range(plan.shards) if shard not in done]
    if not missing:
        return
    kept = sum(plan.size_of(shard) for shard in done)
    progress = Progress(plan.pictures, kept)
    workers = arguments.workers or usable_cores()
    if arguments.engine == "ray":
        from im2latex.bulk.ray_data import run_ray

        run_ray(out, bundle, missing, workers, progress, arguments.address)
    else:
        from im2latex.bulk.local import run_local

        run_local(out, bundle, missing, workers, progress)
    progress.close()


def usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def require(extra: str) -> None:
    """Raises ConfigError, with the cure, when a package of an extra is not installed."""
    for package in NEEDS[extra]:
        if find_spec(package) is None:
            raise ConfigError(f"{package} is not installed, which this needs: pip install 'im2latex[{extra}]'")


@contextmanager
def alone_in(out: Path) -> Iterator[None]:
    """Hold the output folder; raises DataError when another run has it. The system lets go of it when we die."""
    import fcntl  # not on Windows, where the other commands work

    out.mkdir(parents=True, exist_ok=True)
    with (out / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DataError(f"another run is writing to {out}: wait for it, or choose another --out") from None
        yield


def say(summary: dict[str, Any], out: Path, seconds: float) -> None:
    """Tell what became of the run."""
    counts = f"{summary['read']:,} of {summary['pictures']:,} pictures read, {summary['errors']:,} errors"
    print(f"{counts}, {seconds:.0f} s")
    for reason, count in summary["reasons"].items():
        print(f"{count:>10,}  {json.dumps(reason, ensure_ascii=False)[1:-1]}")
    print(f"{out}: part-*.parquet, errors.parquet, summary.json")
