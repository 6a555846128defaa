"""Reads many pictures with a bundle, so that an interrupted run goes on where it was."""

import hashlib
import json
import random
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

from PIL import Image
from tqdm import tqdm

from im2latex.data.packed import sha256_of
from im2latex.errors import ConfigError, ImageError
from im2latex.images import size_in_cells
from im2latex.predictor import Predictor
from im2latex.shipped import find_model
from training.labelled import LabelledPictures
from training.provenance import current_commit

CHUNK = 128
"""Pictures read at a time, of like sizes; what an interruption loses at most."""


@dataclass(frozen=True)
class Reading:
    """What was read in one picture, or why nothing was."""

    tokens: str = ""
    latex: str = ""
    confidence: float = 0.0
    error: str = ""


@dataclass
class Readings:
    """Readings by the place of their picture, the time they took, and the commits whose code read them."""

    by_place: dict[int, Reading]
    seconds: float
    commits: list[str]


def read_pictures(predictor: Predictor, pictures: LabelledPictures, beam: int, file: Path, run: str) -> Readings:
    """Read all pictures; each chunk is appended to `file`, and what an earlier `run` of this name left is kept.

    Pictures of like sizes are read together, in an order drawn by lot, so that the time left can be told from the
    time that passed. A prediction does not depend on its neighbours.
    """
    readings = _resume(file, run)
    count = len(pictures.names)
    waiting = [place for place in range(count) if place not in readings.by_place]
    with file.open("a", encoding="utf-8") as stream, progress(None, count, count - len(waiting)) as bar:
        commit = current_commit()
        if commit not in readings.commits:
            readings.commits.append(commit)
            _append(stream, {"commit": commit})
        for chunk in chunks_of_like_sizes(waiting, pictures.read):
            started = time.perf_counter()
            found = read_sources(predictor, [pictures.read(place) for place in chunk], beam)
            seconds = time.perf_counter() - started
            rows = dict(zip(chunk, found, strict=True))
            _append(stream, {"seconds": seconds, "readings": {place: asdict(row) for place, row in rows.items()}})
            readings.by_place |= rows
            readings.seconds += seconds
            bar.update(len(chunk))
    return readings


def read_sources(predictor: Predictor, sources: Sequence[bytes | Image.Image], beam: int) -> list[Reading]:
    """Read pictures together, but those that are bad, which cost only themselves."""
    pictures, readings = {}, {}
    for place, source in enumerate(sources):
        try:
            pictures[place] = predictor.prepare([source])[0]
        except ImageError as error:
            readings[place] = Reading(error=" ".join(str(error).split()))
    found = predictor.predict_scales(list(pictures.values()), beam)
    readings |= {
        place: Reading(one.tokens, " ".join(one.latex.split()), one.confidence)
        for place, (_, one) in zip(pictures, found, strict=True)
    }
    return [readings[place] for place in range(len(sources))]


def name_run(bundle: str | None, pictures: LabelledPictures, how: str) -> str:
    """A name that differs when the model, the set, its labels or how it is read do: for `read_pictures`."""
    digest = hashlib.sha256()
    for part in (sha256_of(find_model(bundle)), how, *pictures.names, *pictures.formulas):
        digest.update(part.encode() + b"\n")
    return digest.hexdigest()


def _resume(file: Path, run: str) -> Readings:
    """What the file holds of this run; a file of another run is emptied, and a last line torn by a crash cut off.

    Raises ConfigError for a file that is no such thing.
    """
    lines = file.read_bytes().split(b"\n")[:-1] if file.exists() else []
    try:
        if not lines or json.loads(lines[0]) != {"run": run}:
            if lines:
                print(f"{file} is of another model, set, beam or check: all is read anew", file=sys.stderr)
            lines = [json.dumps({"run": run}).encode()]
        readings = _parse(lines[1:])
    except (ValueError, TypeError, AttributeError) as error:
        raise ConfigError(f"{file} holds what no interrupted run wrote: delete it, and all is read anew") from error
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"\n".join([*lines, b""]))
    return readings


def _parse(lines: Sequence[bytes]) -> Readings:
    readings = Readings({}, 0.0, [])
    for line in lines:
        record = json.loads(line)
        readings.commits += [record["commit"]] if "commit" in record else []
        readings.seconds += record.get("seconds", 0.0)
        readings.by_place |= {int(place): Reading(**row) for place, row in record.get("readings", {}).items()}
    return readings


def _append(stream: TextIO, record: dict[str, Any]) -> None:
    stream.write(json.dumps(record, ensure_ascii=False) + "\n")
    stream.flush()


def chunks_of_like_sizes(places: Sequence[int], read: Callable[[int], bytes]) -> list[list[int]]:
    """The places in chunks of pictures of like sizes, in an order that is random, but the same each time."""
    ordered = sorted(places, key=lambda place: (size_in_cells(read(place)), place))
    chunks = [ordered[start : start + CHUNK] for start in range(0, len(ordered), CHUNK)]
    random.Random(0).shuffle(chunks)
    return chunks


def progress(places: Iterable[int] | None, count: int, done: int = 0) -> "tqdm[Any]":
    """A bar with the time left, over `places` or moved by hand; where nobody watches, a line in two minutes."""
    watched = sys.stderr.isatty()
    interval = 0.5 if watched else 120  # seconds
    return tqdm(
        places, desc="reading", total=count, initial=done, unit=" formulas", smoothing=0.05, mininterval=interval
    )
