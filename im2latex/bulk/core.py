"""Pictures in, rows out: what every engine does with a shard, whoever runs it and wherever it came from."""

import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from im2latex.bulk.attempts import Attempts
from im2latex.bulk.device import OnDevice
from im2latex.bulk.rows import Failure, Found, Picture, Row, Settings
from im2latex.errors import ImageError
from im2latex.images import ImageSpec, open_image, prepare_scales, size_in_cells
from im2latex.latex.mathml import to_format
from im2latex.predictor import Prediction, Predictor
from im2latex.second_look import Scales

CHUNK_BYTES = 2**26
"""Pictures held in memory at a time, in bytes of their files: the larger they are, the fewer."""


@dataclass
class Batch:
    """Pictures that are read together, by their places in the shard."""

    places: list[int]
    pictures: list[Picture]
    prepared: dict[int, Scales] = field(default_factory=dict)
    """Prepared pictures by their places in the batch."""
    errors: dict[int, str] = field(default_factory=dict)
    """Why the others cannot be read."""
    seconds: float = 0.0
    """That preparing them took."""


def read_pictures(
    predictor: Predictor,
    pictures: Iterable[Picture],
    settings: Settings,
    attempts: Attempts,
    on_batch: Callable[[int, int], None] = lambda read, failed: None,
) -> Iterator[Found]:
    """A row or a failure for every picture, in their order; `on_batch` is told how many were read, how many failed.

    While a GPU reads a batch, a thread prepares the next one; but not where a process died before, so that it is plain
    which batch it died at. On the processor a second thread would only take the core of another worker.
    """
    is_ahead = isinstance(predictor.bundle.decoder, OnDevice) and attempts.is_first
    first = 0
    for chunk in cut(pictures, CHUNK_BYTES):
        found: dict[int, Found] = {}
        prepare_one = partial(prepare_batch, predictor, chunk, first, attempts)
        batches = to_batches(chunk, first, settings.batch_size, attempts)
        for batch in prepare_ahead(prepare_one, batches) if is_ahead else map(prepare_one, batches):
            with attempts.at(batch.places):
                answers = read_batch(predictor, batch, settings)
            found |= dict(zip(batch.places, answers, strict=True))
            failed = sum(isinstance(answer, Failure) for answer in answers)
            on_batch(len(answers) - failed, failed)
        yield from (found[first + place] for place in range(len(chunk)))
        first += len(chunk)


def cut(pictures: Iterable[Picture], most: int) -> Iterator[list[Picture]]:
    """Pictures in lists of at most so many bytes together, or of one."""
    chunk: list[Picture] = []
    size = 0
    for picture in pictures:
        if chunk and size + len(picture.data) > most:
            yield chunk
            chunk, size = [], 0
        chunk.append(picture)
        size += len(picture.data)
    if chunk:
        yield chunk


def to_batches(chunk: Sequence[Picture], first: int, size: int, attempts: Attempts) -> list[list[int]]:
    """Places of pictures that are read together: those of like sizes, and none with others that processes died at.

    What processes died at comes last: one that was killed from outside is seldom killed at the same picture again.
    """
    with attempts.at([]) as is_safe:
        order = by_size(chunk) if is_safe else list(range(len(chunk)))
    whole = [[first + place for place in order[start : start + size]] for start in range(0, len(order), size)]
    return sorted((part for places in whole for part in attempts.parts(places)), key=attempts.deaths_at)


def by_size(pictures: Sequence[Picture]) -> list[int]:
    """Places of the pictures, those of like sizes side by side."""
    cells = [size_in_cells(picture.data) for picture in pictures]
    return sorted(range(len(pictures)), key=lambda place: (cells[place], place))


def prepare_ahead(prepare_one: Callable[[list[int]], Batch], batches: Iterable[list[int]]) -> Iterator[Batch]:
    """Every batch prepared, while the one before it is at work."""
    waiting: deque[Future[Batch]] = deque()
    with ThreadPoolExecutor(1) as thread:
        for places in batches:
            waiting.append(thread.submit(prepare_one, places))
            if len(waiting) > 1:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def prepare_batch(
    predictor: Predictor, chunk: Sequence[Picture], first: int, attempts: Attempts, places: list[int]
) -> Batch:
    """Prepare pictures, with a note in case the process dies; a picture that killed too many is not touched."""
    started = time.perf_counter()
    batch = Batch(places, [chunk[place - first] for place in places])
    with attempts.at(places) as is_safe:
        if not is_safe:
            deaths = attempts.deaths_at(places)
            error = f"its reading was given up: the process died each of the {deaths} times that it was tried alone"
            batch.errors = dict.fromkeys(range(len(places)), error)
            return batch
        for place, picture in enumerate(batch.pictures):
            try:
                batch.prepared[place] = prepare_picture(picture, predictor.bundle.spec)
            except ImageError as problem:
                batch.errors[place] = str(problem)
    batch.seconds = time.perf_counter() - started
    return batch


def read_batch(predictor: Predictor, batch: Batch, settings: Settings) -> list[Found]:
    """Read pictures together; one that cannot be read costs only itself."""
    started = time.perf_counter()
    predictions = predict(predictor, list(batch.prepared.values()), settings.beam)
    seconds = (batch.seconds + time.perf_counter() - started) / len(batch.pictures)
    found: dict[int, Prediction | str] = {**batch.errors, **dict(zip(batch.prepared, predictions, strict=True))}
    return [
        Failure(picture.file, _hash(picture.data), what)
        if isinstance(what := found[place], str)
        else _row(picture, what, predictor.name, seconds, settings)
        for place, picture in enumerate(batch.pictures)
    ]


def predict(predictor: Predictor, pictures: Sequence[Scales], beam: int) -> Sequence[Prediction | str]:
    """Predictions of prepared pictures; for one at which the model itself fails, its last words."""
    try:
        return [prediction for _, prediction in predictor.predict_scales(pictures, beam)]
    except RuntimeError as error:
        if len(pictures) > 1:
            return [answer for scales in pictures for answer in predict(predictor, [scales], beam)]
        return [f"the model failed at it: {str(error).strip().splitlines()[-1]}"]


def prepare_picture(picture: Picture, spec: ImageSpec) -> Scales:
    """What the model sees of a picture; raises ImageError."""
    if picture.error:
        raise ImageError(picture.error)
    return prepare_scales(open_image(picture.data, spec.max_pixels), spec)


def _row(picture: Picture, prediction: Prediction, model: str, seconds: float, settings: Settings) -> Row:
    return Row(
        file=picture.file,
        sha256=_hash(picture.data),
        latex=prediction.latex,
        confidence=round(prediction.confidence, 6),
        likeness=None if prediction.likeness is None else round(prediction.likeness, 6),
        formats={kind: to_format(prediction.latex, kind) for kind in settings.formats},
        model=model,
        seconds=round(seconds, 6),
    )


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest() if data else ""
