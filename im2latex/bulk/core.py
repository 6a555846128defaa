"""Pictures in, rows out: what every engine does with a shard, whoever runs it and wherever it came from."""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from torch import Tensor

from im2latex.bulk.attempts import Attempts
from im2latex.bulk.rows import Failure, Found, Picture, Row, Settings
from im2latex.errors import ImageError
from im2latex.images import open_image, prepare, size_in_cells
from im2latex.latex.mathml import to_format
from im2latex.predictor import Prediction, Predictor

CHUNK_BYTES = 2**26
"""Pictures held in memory at a time, in bytes of their files: the larger they are, the fewer."""


def read_pictures(
    predictor: Predictor,
    pictures: Iterable[Picture],
    settings: Settings,
    attempts: Attempts,
    on_batch: Callable[[int, int], None] = lambda read, failed: None,
) -> Iterator[Found]:
    """A row or a failure for every picture, in their order; `on_batch` is told how many were read, how many failed."""
    first = 0
    for chunk in cut(pictures, CHUNK_BYTES):
        found: dict[int, Found] = {}
        with attempts.at([]) as is_safe:
            order = by_size(chunk) if is_safe else list(range(len(chunk)))
        for start in range(0, len(order), settings.batch_size):
            batch = [first + place for place in order[start : start + settings.batch_size]]
            for places in attempts.parts(batch):
                together = [chunk[place - first] for place in places]
                answers = read_guarded(predictor, together, places, settings, attempts)
                found |= dict(zip(places, answers, strict=True))
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


def by_size(pictures: Sequence[Picture]) -> list[int]:
    """Places of the pictures, those of like sizes side by side."""
    cells = [size_in_cells(picture.data) for picture in pictures]
    return sorted(range(len(pictures)), key=lambda place: (cells[place], place))


def read_guarded(
    predictor: Predictor, pictures: Sequence[Picture], places: Sequence[int], settings: Settings, attempts: Attempts
) -> list[Found]:
    """Read a batch, and leave a note of it in case the process dies; a picture that killed too many is not touched."""
    with attempts.at(places) as is_safe:
        if is_safe:
            return read_batch(predictor, pictures, settings)
    deaths = attempts.deaths_at(places)
    error = f"its reading was given up: the process died each of the {deaths} times that it was tried alone"
    return [Failure(picture.file, _hash(picture.data), error) for picture in pictures]


def read_batch(predictor: Predictor, pictures: Sequence[Picture], settings: Settings) -> list[Found]:
    """Read pictures together; one that cannot be read costs only itself."""
    started = time.perf_counter()
    tensors: dict[int, Tensor] = {}
    found: dict[int, Found] = {}
    for place, picture in enumerate(pictures):
        try:
            tensors[place] = _prepare(predictor, picture)
        except ImageError as error:
            found[place] = Failure(picture.file, _hash(picture.data), str(error))
    predictions = predict(predictor, list(tensors.values()), settings.beam)
    seconds = (time.perf_counter() - started) / max(1, len(pictures))
    for place, prediction in zip(tensors, predictions, strict=True):
        if isinstance(prediction, str):
            found[place] = Failure(pictures[place].file, _hash(pictures[place].data), prediction)
        else:
            found[place] = _row(pictures[place], prediction, predictor.name, seconds, settings)
    return [found[place] for place in range(len(pictures))]


def predict(predictor: Predictor, tensors: Sequence[Tensor], beam: int) -> Sequence[Prediction | str]:
    """Predictions of prepared pictures; for one at which the model itself fails, its last words."""
    try:
        return predictor.predict_prepared(tensors, beam)
    except RuntimeError as error:
        if len(tensors) > 1:
            return [answer for tensor in tensors for answer in predict(predictor, [tensor], beam)]
        return [f"the model failed at it: {str(error).strip().splitlines()[-1]}"]


def _prepare(predictor: Predictor, picture: Picture) -> Tensor:
    if picture.error:
        raise ImageError(picture.error)
    spec = predictor.bundle.spec
    return prepare(open_image(picture.data, spec.max_pixels), spec)


def _row(picture: Picture, prediction: Prediction, model: str, seconds: float, settings: Settings) -> Row:
    return Row(
        file=picture.file,
        sha256=_hash(picture.data),
        latex=prediction.latex,
        confidence=round(prediction.confidence, 6),
        formats={kind: to_format(prediction.latex, kind) for kind in settings.formats},
        model=model,
        seconds=round(seconds, 6),
    )


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest() if data else ""
