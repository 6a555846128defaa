"""The packed format: how a data set lies on disk (Parquet shards, vocab.json, manifest.json)."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from im2latex.errors import DataError
from im2latex.tokenizer import EOS, Tokenizer

MANIFEST = "manifest.json"
VOCABULARY = "vocab.json"
FAILURES = "failures.tsv"
FORMAT = 1

SCHEMA = pa.schema(
    [
        ("image", pa.large_binary()),  # PNG, one grey channel, black ink on white
        ("height", pa.int32()),  # pixels
        ("width", pa.int32()),  # pixels
        ("formula", pa.large_string()),  # LaTeX as it was found
        ("tokens", pa.large_string()),  # its canonical tokens, separated by single spaces
        ("source", pa.large_string()),  # where the formula came from
    ]
)


def sha256_of(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_atomically(path: Path, text: str) -> None:
    """Writes the whole file or nothing: a killed run never leaves half of it under its final name."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def write_shard(path: Path, rows: list[dict[str, Any]]) -> None:
    """Writes one shard atomically; the same rows give the same bytes. PNG is left uncompressed by Parquet."""
    partial = path.with_name(path.name + ".partial")
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    squeezed = {name: "none" if name == "image" else "zstd" for name in SCHEMA.names}
    pq.write_table(table, partial, compression=squeezed, use_dictionary=["source"], write_statistics=False)
    partial.replace(path)


def read_shard(path: Path, columns: list[str] | None = None) -> pa.Table:
    """One shard as a table with the types of SCHEMA; None: all columns."""
    schema = SCHEMA if columns is None else pa.schema([SCHEMA.field(name) for name in columns])
    return pq.read_table(path, columns=columns, partitioning=None).cast(schema)


def read_manifest(path: Path) -> dict[str, Any]:
    """The manifest of a packed set. Raises DataError if it is not there: preparing never finished."""
    file = path / MANIFEST
    if not file.is_file():
        raise DataError(f"no {MANIFEST} in {path}: run training/prepare_data.py --out {path} once (more)")
    manifest: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    if manifest.get("format") != FORMAT:
        raise DataError(f"{file} has format {manifest.get('format')}, wanted {FORMAT}: prepare the set again")
    return manifest


def read_packed(path: Path, columns: list[str] | None = None, verify: bool = True) -> pa.Table:
    """All shards as one table, in the order of the manifest; `verify` compares their checksums.

    Raises DataError when a shard is missing or its bytes are not those the manifest promises.
    """
    tables = []
    for shard in read_manifest(path)["shards"]:
        file = path / shard["file"]
        if not file.is_file():
            raise DataError(f"{file} is named in {MANIFEST} but missing: prepare or copy the set again")
        if verify and sha256_of(file) != shard["sha256"]:
            raise DataError(f"{file} is damaged: its SHA-256 is not that of {MANIFEST}; copy it again")
        tables.append(read_shard(file, columns))
    if not tables:
        raise DataError(f"{path} holds no shards: its formula list was empty")
    return pa.concat_tables(tables)


def write_vocabulary(path: Path, counts: Mapping[str, int], min_count: int) -> None:
    """Saves every token with its count, and the vocabulary that `min_count` leaves."""
    ordered = dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
    vocab = Tokenizer.from_counts(counts, min_count).vocab
    facts = {"min_count": min_count, "vocab": vocab, "counts": ordered}
    write_atomically(path / VOCABULARY, json.dumps(facts, ensure_ascii=False, indent=0) + "\n")


def read_tokenizer(path: Path, min_count: int | None = None, also: Sequence[Path] = ()) -> Tokenizer:
    """The tokenizer saved with the data, or one rebuilt from the saved counts when `min_count` is given.

    With more sets, `also`, their counts are added; `min_count` None is then that of the first.
    """
    saved = _read_vocabulary(path)
    if min_count is None and not also:
        return Tokenizer(saved["vocab"])
    return Tokenizer.from_counts(read_counts([path, *also]), saved["min_count"] if min_count is None else min_count)


def read_counts(folders: Sequence[Path]) -> Counter[str]:
    """How often each token stands in these sets, as saved with them; `<eos>` once in each formula."""
    counts: Counter[str] = Counter()
    for folder in folders:
        counts.update(_read_vocabulary(folder)["counts"])
        counts[Tokenizer.SPECIALS[EOS]] += sum(shard["rows"] for shard in read_manifest(folder)["shards"])
    return counts


def _read_vocabulary(folder: Path) -> dict[str, Any]:
    file = folder / VOCABULARY
    if not file.is_file():
        raise DataError(f"no {VOCABULARY} in {folder}: prepare the set again")
    facts: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return facts
