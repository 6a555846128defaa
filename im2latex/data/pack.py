"""Packs formulas and their pictures into a data set, shard by shard, so that a killed run can go on."""

import hashlib
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image
from tqdm import tqdm

from im2latex.data.formulas import Formula
from im2latex.data.packed import (
    FAILURES,
    FORMAT,
    MANIFEST,
    read_manifest,
    read_shard,
    sha256_of,
    write_atomically,
    write_shard,
    write_vocabulary,
)
from im2latex.errors import DataError, FormulaError, ImageError
from im2latex.latex import canonicalize

PLAN = "plan.json"  # what is being made; gone once the manifest is there


class Drawn(NamedTuple):
    """The picture of a formula (PIL, mode L), or why there is none."""

    image: Image.Image | None
    error: str | None


Readable = tuple[Formula, list[str]]
"""A formula and its canonical tokens."""
Draw = Callable[[list[Readable]], Iterator[Drawn]]
"""Draws formulas: one answer each, in the order given."""


@dataclass(frozen=True)
class PackConfig:
    """How a data set is cut into files."""

    shard_size: int = 8192
    """Formulas a shard (before failures are taken out): what a killed run loses at most."""
    min_count: int = 1
    """Tokens rarer than this are left out of the saved vocabulary; all counts are saved."""


@dataclass(frozen=True)
class Report:
    """What became of the formulas of a list."""

    total: int
    packed: int
    failures: dict[str, int]  # "stage: reason" to count, the commonest first


def pack(
    formulas: Sequence[Formula], out: Path, draw: Draw, facts: dict[str, Any], config: PackConfig
) -> Report:
    """Canonicalizes and draws every formula; writes shards, failures, vocabulary and, last, the manifest.

    Finished shards are kept, so calling it again after a kill goes on; the bytes are the same either way.
    `facts` (how it was drawn) go into the manifest. Raises DataError if `out` holds another data set.
    """
    plan = _start(formulas, out, facts, config)
    if not (out / MANIFEST).is_file():
        starts = range(0, len(formulas), config.shard_size)
        with tqdm(total=len(formulas), unit=" formulas", mininterval=1.0, smoothing=0.02) as bar:
            for number, start in enumerate(starts):
                part = formulas[start : start + config.shard_size]
                if _shard(out, number).is_file():
                    bar.initial += len(part)  # made by an earlier run: not part of the rate
                    bar.update(len(part))
                else:
                    _make_shard(part, out, number, start, draw, bar)
        _finish(out, len(starts), plan, config)
    for left_over in (out / PLAN, *out.glob("failures-*.tsv")):
        left_over.unlink(missing_ok=True)
    return _report(out, len(formulas))


def _start(
    formulas: Sequence[Formula], out: Path, facts: dict[str, Any], config: PackConfig
) -> dict[str, Any]:
    """What is to be made, compared with what `out` holds."""
    digest = hashlib.sha256()
    for formula in formulas:
        digest.update("\t".join(formula).encode() + b"\n")
    settings = {"shard_size": config.shard_size, "min_count": config.min_count}
    described = {"format": FORMAT, "formulas": digest.hexdigest(), **facts, **settings}
    plan: dict[str, Any] = json.loads(json.dumps(described))
    out.mkdir(parents=True, exist_ok=True)
    known = read_manifest(out) if (out / MANIFEST).is_file() else None
    if known is None and (out / PLAN).is_file():
        known = json.loads((out / PLAN).read_text(encoding="utf-8"))
    if known is None:
        write_atomically(out / PLAN, json.dumps(plan, indent=1) + "\n")
    else:
        changed = [name for name, value in plan.items() if known.get(name) != value]
        if changed:
            raise DataError(f"{out} holds a data set of other {', '.join(changed)}: choose another folder")
    return plan


def _make_shard(
    part: Sequence[Formula], out: Path, number: int, start: int, draw: Draw, bar: "tqdm[Any]"
) -> None:
    readable: list[tuple[int, Formula, list[str]]] = []
    failures: list[tuple[int, str, str, str]] = []
    for position, formula in enumerate(part, start=start):
        try:
            readable.append((position, formula, canonicalize(formula.formula)))
        except FormulaError as error:
            failures.append((position, "canonicalize", str(error), formula.formula))
            bar.update()
    rows = []
    answers = draw([(formula, tokens) for _, formula, tokens in readable])
    for (position, formula, tokens), drawn in zip(readable, answers, strict=True):
        try:
            rows.append(_row(formula, tokens, _require_ink(drawn)))
        except ImageError as error:
            failures.append((position, "render", str(error), formula.formula))
        bar.update()
    _write_failures(_failures(out, number), sorted(failures))
    write_shard(_shard(out, number), rows)  # last: a shard that is there is complete


def _require_ink(drawn: Drawn) -> Image.Image:
    """The picture; raises ImageError where there is none, or none that a model could see anything in."""
    if drawn.image is None:
        raise ImageError(drawn.error or "no picture")
    from im2latex.images import to_ink  # loads torch, which the processes that draw do without

    to_ink(drawn.image)
    return drawn.image


def _row(formula: Formula, tokens: list[str], image: Image.Image) -> dict[str, Any]:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return {
        "image": stream.getvalue(),
        "height": image.height,
        "width": image.width,
        "formula": formula.formula,
        "tokens": " ".join(tokens),
        "source": formula.source,
    }


def _finish(out: Path, shards: int, plan: dict[str, Any], config: PackConfig) -> None:
    """Joins the failures, counts the tokens and, last, writes the manifest."""
    counts: Counter[str] = Counter()
    entries, failures = [], []
    for number in range(shards):
        file = _shard(out, number)
        tokens = read_shard(file, ["tokens"])["tokens"].to_pylist()
        for text in tokens:
            counts.update(text.split())
        entries.append({"file": file.name, "rows": len(tokens), "sha256": sha256_of(file)})
        failures += _read_failures(_failures(out, number))
    _write_failures(out / FAILURES, failures)
    write_vocabulary(out, counts, config.min_count)
    write_atomically(out / MANIFEST, json.dumps({**plan, "shards": entries}, indent=1) + "\n")


def _report(out: Path, total: int) -> Report:
    packed = sum(shard["rows"] for shard in read_manifest(out)["shards"])
    reasons = Counter(f"{stage}: {reason}" for _, stage, reason, _ in _read_failures(out / FAILURES))
    return Report(total, packed, dict(reasons.most_common()))


def _shard(out: Path, number: int) -> Path:
    return out / f"shard-{number:05d}.parquet"


def _failures(out: Path, number: int) -> Path:
    return out / f"failures-{number:05d}.tsv"


def _write_failures(path: Path, failures: Sequence[Sequence[Any]]) -> None:
    rows = [("position", "stage", "reason", "formula"), *failures]
    lines = ["\t".join(" ".join(str(cell).split()) for cell in row) for row in rows]
    write_atomically(path, "\n".join(lines) + "\n")


def _read_failures(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text(encoding="utf-8").split("\n")[1:-1]]
