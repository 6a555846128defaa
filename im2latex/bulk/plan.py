"""The plan of a run: which pictures make up which shard; written once, and followed by whoever goes on."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from im2latex.bulk.rows import Settings
from im2latex.bulk.sources import Entry, list_source
from im2latex.errors import DataError

PLAN = "plan.json"
ENTRIES = "plan.parquet"
FORMAT = 1
SCHEMA = pa.schema(
    [("file", pa.string()), ("path", pa.string()), ("kind", pa.string()), ("offset", pa.int64()), ("size", pa.int64())]
)


@dataclass(frozen=True)
class Plan:
    """What is to be read, how, and in how many shards."""

    facts: dict[str, Any]
    """Whatever the rows depend on: source and its digest, bundle, settings."""
    pictures: int
    shards: int

    def size_of(self, shard: int) -> int:
        """Pictures in a shard: all have as many, but for the last."""
        size = int(self.facts["shard_size"])
        return min(size, self.pictures - shard * size)

    @property
    def settings(self) -> Settings:
        """How pictures are read."""
        known = self.facts["settings"]
        return Settings(known["beam"], known["batch_size"], tuple(known["formats"]), known["check"])


def make_plan(source: str, out: Path, bundle: Path, settings: Settings, shard_size: int) -> Plan:
    """The plan of `out`: a new one, or the one that is there if it is the same. Raises DataError if it is another.

    The source is listed each time, so that a source that has changed is noticed; memory does not grow with it.
    Raises BundleError, and plans nothing, when the bundle cannot be loaded.
    """
    if not (out / PLAN).is_file():
        from im2latex.bundle import load_bundle  # loads torch, which a run that goes on leaves to its workers

        load_bundle(bundle)  # or the plan of a model that cannot be loaded would stand in the way of the right one
    out.mkdir(parents=True, exist_ok=True)
    partial = out / (ENTRIES + ".partial")
    digest, pictures = write_entries(partial, list_source(source, out), shard_size)
    facts: dict[str, Any] = {
        "format": FORMAT,
        "source": str(Path(source).resolve()),
        "digest": digest,
        "bundle": hash_file(bundle),
        "settings": asdict(settings),
        "shard_size": shard_size,
    }
    plan = Plan(json.loads(json.dumps(facts)), pictures, -(-pictures // shard_size))
    if (out / PLAN).is_file():
        partial.unlink()
        compare(read_plan(out), plan, out)
        return plan
    partial.replace(out / ENTRIES)
    write_whole(out / PLAN, json.dumps(asdict(plan), indent=1) + "\n")
    return plan


def compare(known: Plan, wanted: Plan, out: Path) -> None:
    """Raises DataError, naming what differs, unless both plans are the same."""
    before, now = _flat(known), _flat(wanted)
    changed = [f"{name} was {before.get(name)}, now {now[name]}" for name in now if before.get(name) != now[name]]
    if changed:
        raise DataError(f"{out} holds another run ({'; '.join(changed)}): choose another --out, or what it was")


def _flat(plan: Plan) -> dict[str, Any]:
    facts = {**plan.facts, **plan.facts["settings"]}
    facts["pictures in the source"] = f"{plan.pictures} of digest {facts.pop('digest')[:12]}"
    facts["bundle"] = facts["bundle"][:12]
    del facts["settings"]
    return facts


def read_plan(out: Path) -> Plan:
    """The plan of a run that has begun."""
    plan = Plan(**json.loads((out / PLAN).read_text(encoding="utf-8")))
    if plan.facts.get("format") != FORMAT:
        raise DataError(f"{out / PLAN} has format {plan.facts.get('format')}, wanted {FORMAT}: choose another --out")
    return plan


def write_entries(path: Path, entries: Iterable[Entry], shard_size: int) -> tuple[str, int]:
    """Write the entries, a row group a shard; returns a digest of all, and how many they are."""
    digest, count, entries = hashlib.sha256(), 0, iter(entries)
    with pq.ParquetWriter(path, SCHEMA, compression="zstd", write_statistics=False) as writer:
        while shard := list(islice(entries, shard_size)):
            for entry in shard:
                digest.update("\t".join(map(str, entry)).encode("utf-8", "surrogateescape") + b"\n")
            columns = [[_text(value) for value in column] for column in list(zip(*shard, strict=True))[: len(SCHEMA)]]
            writer.write_table(pa.table(columns, schema=SCHEMA), row_group_size=shard_size)
            count += len(shard)
    return digest.hexdigest(), count


def _text(value: Any) -> Any:
    """File names of bytes that are no UTF-8 cannot be kept."""
    if not isinstance(value, str) or value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        raise DataError(f"the name {value.encode(errors='backslashreplace')!r} is no UTF-8: rename the file") from None
    return value


class Entries:
    """The entries of a run, shard by shard."""

    def __init__(self, out: Path) -> None:
        self._file = pq.ParquetFile(out / ENTRIES)

    def of(self, shard: int) -> Iterator[Entry]:
        """The entries of one shard."""
        table = self._file.read_row_group(shard)
        columns = [table[name].to_pylist() for name in SCHEMA.names]
        return (Entry(*values) for values in zip(*columns, strict=True))


def hash_file(path: Path) -> str:
    """SHA-256 of a file; raises DataError when there is none."""
    if not path.is_file():
        raise DataError(f"there is no model file {path}")
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_whole(path: Path, text: str) -> None:
    """Write the whole file or nothing."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
