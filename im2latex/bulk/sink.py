"""Where rows go: a Parquet file a shard, there whole or not at all; errors and summary at the end."""

import json
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from im2latex.bulk.plan import Plan, write_whole
from im2latex.bulk.rows import FORMATS, Failure, Found, Row

ERRORS = "errors.parquet"
SUMMARY = "summary.json"
ATTEMPTS, FAILED = "attempts", "errors"
"""Folders that exist while a run is under way."""

ROWS = pa.schema(
    [
        ("file", pa.string()),
        ("sha256", pa.string()),  # of the picture's file
        ("latex", pa.string()),
        ("confidence", pa.float64()),  # 0..1
        ("likeness", pa.float64()),  # 0..1; null: not checked
        ("formats", pa.struct([(kind, pa.string()) for kind in FORMATS])),  # null: not asked for, or cannot be written
        ("model", pa.string()),
        ("seconds", pa.float64()),  # its share of the time that its batch took
    ]
)
FAILURES = pa.schema([("file", pa.string()), ("sha256", pa.string()), ("error", pa.string())])


class Sink:
    """The output folder of a run."""

    def __init__(self, out: Path) -> None:
        self.out = out

    def done(self) -> set[int]:
        """Shards whose rows are there."""
        return {int(path.stem.removeprefix("part-")) for path in self.out.glob("part-*.parquet")}

    def attempts(self, shard: int) -> Path:
        """Where the notes about a shard lie while it is read."""
        return self.out / ATTEMPTS / f"{shard:08d}.txt"

    def write(self, shard: int, found: Sequence[Found]) -> None:
        """Keep a shard. Its failures come first: once the rows are there, it is done."""
        failures = [asdict(one) for one in found if isinstance(one, Failure)]
        if failures:
            write_table(self._failed(shard), pa.Table.from_pylist(failures, FAILURES))
        else:
            self._failed(shard).unlink(missing_ok=True)  # of a process that died before it was done
        rows = [asdict(one) for one in found if isinstance(one, Row)]
        write_table(self.part(shard), pa.Table.from_pylist(rows, ROWS))

    def part(self, shard: int) -> Path:
        """The file of a shard's rows."""
        return self.out / f"part-{shard:08d}.parquet"

    def rows_of(self, shard: int) -> int:
        """How many rows a shard has that is there."""
        return int(pq.read_metadata(self.part(shard)).num_rows)

    def finish(self, plan: Plan) -> dict[str, Any]:
        """Join the failures of all shards and write the summary, the last file of a run; returns it."""
        if not (self.out / SUMMARY).is_file():
            reasons = self._join_failures(plan.shards)
            write_whole(self.out / SUMMARY, json.dumps(self._summarize(plan, reasons), indent=1) + "\n")
        self._clear()
        summary: dict[str, Any] = json.loads((self.out / SUMMARY).read_text(encoding="utf-8"))
        return summary

    def _failed(self, shard: int) -> Path:
        return self.out / FAILED / f"{shard:08d}.parquet"

    def _join_failures(self, shards: int) -> Counter[str]:
        """All failures in one file; returns their reasons, numbers apart."""
        reasons: Counter[str] = Counter()
        partial = self.out / (ERRORS + ".partial")
        with pq.ParquetWriter(partial, FAILURES, compression="zstd") as writer:
            for file in filter(Path.is_file, map(self._failed, range(shards))):
                table = pq.read_table(file, schema=FAILURES, partitioning=None)
                writer.write_table(table)
                reasons.update(re.sub(r"\d+", "N", reason) for reason in table["error"].to_pylist())
        settle(partial, self.out / ERRORS)
        return reasons

    def _summarize(self, plan: Plan, reasons: Counter[str]) -> dict[str, Any]:
        read, confidence, seconds = 0, 0.0, 0.0
        for shard in range(plan.shards):
            table = pq.read_table(self.part(shard), columns=["confidence", "seconds"], partitioning=None)
            read += len(table)
            confidence += pc.sum(table["confidence"]).as_py() or 0.0
            seconds += pc.sum(table["seconds"]).as_py() or 0.0
        return {
            "pictures": plan.pictures,
            "read": read,
            "errors": reasons.total(),
            "reasons": dict(reasons.most_common(20)),
            "mean_confidence": round(confidence / read, 6) if read else None,
            "seconds": round(seconds, 3),
            "shards": plan.shards,
            **plan.facts,
        }

    def _clear(self) -> None:
        """Take away what only a run under way needs."""
        for folder in (self.out / ATTEMPTS, self.out / FAILED):
            for file in folder.glob("*"):
                file.unlink(missing_ok=True)
            if folder.is_dir():
                folder.rmdir()
        for partial in self.out.glob("*.partial"):
            partial.unlink(missing_ok=True)


def write_table(path: Path, table: pa.Table) -> None:
    """Write a Parquet file so that it is there whole or not at all, whatever happens to process and machine."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    pq.write_table(table, partial, compression="zstd")
    settle(partial, path)


def settle(partial: Path, path: Path) -> None:
    """Give a file that is written its name, once its bytes are on the disk, and the name as well."""
    with partial.open("rb") as stream:
        os.fsync(stream.fileno())
    partial.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
