"""From the bytes of a picture to the answer: prepared on a few threads, queued for the model, put into words."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

from api_server.batching import Batcher, Work
from api_server.fetch import fetch_image
from api_server.machine import give_back_memory, model_threads, prepare_thread, usable_cores
from api_server.metrics import Metrics
from api_server.pictures import prepare_picture
from api_server.predictions import FormulaRead, ReadsFormulas, check_attention, to_attention, to_reading
from api_server.problems import Problem, busy, unreadable
from api_server.schemas import BatchReading, Options, ProblemDetails, Reading, UrlRequest
from api_server.settings import Settings
from api_server.uploads import Body, decode_picture, parse_batch, parse_upload
from im2latex.errors import ImageError
from im2latex.explanation import Map
from im2latex.images import Prepared
from im2latex.second_look import Scales

MOST_TOGETHER = 32
"""Prepared pictures run together up to so many: more are read no faster, but all answers wait for the longest."""
MOST_PIXELS = 2**18
"""As many pixels run together; each takes up to 800 bytes while it is read."""
FEWEST_TOGETHER = 8
"""The threads of the model share both bounds, but each may read so many, and that part of the pixels."""
MOST_PREPARING = 4
"""Threads that decode pictures: each may hold a picture of the largest size."""
TIDY_SECONDS = 1.0
"""Between two times that memory is handed back while batches run."""

T = TypeVar("T")


class Reader:
    """Reads pictures for all requests; made and closed on the event loop."""

    def __init__(self, predictor: ReadsFormulas, settings: Settings, metrics: Metrics) -> None:
        self.predictor = predictor
        self.settings = settings
        self.metrics = metrics
        self.inside = 0
        self.preparers = ThreadPoolExecutor(min(MOST_PREPARING, usable_cores()), "prepare", prepare_thread)
        self.fetchers = ThreadPoolExecutor(max(1, settings.max_fetches), "fetch")
        self.may_fetch = threading.BoundedSemaphore(max(1, settings.max_fetches))
        threads = model_threads(settings.threads)
        self.most_together = max(FEWEST_TOGETHER, MOST_TOGETHER // threads)
        self.model = ThreadPoolExecutor(threads, "model", prepare_thread)
        self.batcher = Batcher(self.model, threads, metrics, settings.batch_seconds)

    @property
    def is_full(self) -> bool:
        """Whether one more picture would find no place."""
        return self.inside >= self.settings.max_queue

    @contextmanager
    def places(self, count: int) -> Iterator[None]:
        """Hold places for some pictures until they are answered; raises the 503 Problem when there are too few."""
        if self.inside + count > self.settings.max_queue:
            raise busy("The server has as many pictures as it can bear; try again.")
        self.inside += count
        self.metrics.queue_depth.set(self.inside)
        try:
            yield
        finally:
            self.inside -= count
            self.metrics.queue_depth.set(self.inside)

    async def read_url(self, wanted: UrlRequest) -> Reading:
        """Fetch and read a picture; it needs its place only once it is here."""
        data = await self.fetch(wanted.image_url)
        with self.places(1):
            return await self.read(data, wanted)

    async def read_upload(self, body: Body) -> Reading:
        """Read the picture in a body."""
        with self.places(1):  # before the body is looked into, which waits for a thread
            options, data = await self.in_pool(parse_upload, body, self.settings.max_upload_bytes)
            return await self.read(data, options)

    async def read_batch(self, body: Body, admit_more: Callable[[int], None]) -> BatchReading:
        """Read the pictures in a body, in order; what is wrong with one is its own answer."""
        with self.places(1):
            batch = await self.in_pool(parse_batch, body, self.settings.max_images)
            more = len(batch.images) - 1
            admit_more(more)
            with self.places(more):
                answers = [self.read_or_refuse(text, batch) for text in batch.images]
                return BatchReading(answers=list(await asyncio.gather(*answers)))

    async def read_or_refuse(self, text: str, options: Options) -> Reading | ProblemDetails:
        """Read one picture of several, sent as base64 or a data URL."""
        try:
            data = await self.in_pool(decode_picture, text, self.settings.max_upload_bytes)
            return await self.read(data, options)
        except ImageError as error:
            return unreadable(error).document()
        except Problem as problem:
            return problem.document()

    async def read(self, data: bytes, options: Options) -> Reading:
        """Read the bytes of a picture that has its place; raises ImageError when it cannot be read."""
        check_attention(self.predictor, options)
        scales = await self.in_pool(prepare_picture, data, self.predictor.bundle.spec, self.settings)
        alternatives = min(options.alternatives, options.beam - 1)
        kind = (options.beam, alternatives, options.attention)
        run = partial(self.predict, options.beam, alternatives, options.attention)
        share = max(1.0, scales[0].image.numel() * MOST_TOGETHER / MOST_PIXELS) / self.most_together
        work = Work(kind, run, scales, share)
        (prepared, found, maps), seconds = await self.batcher.answer(work)
        self.metrics.tokens.inc(len(found.token_confidences))
        attention = None if maps is None else await self.in_pool(to_attention, maps, prepared)
        return await self.in_pool(to_reading, found, options, self.predictor.name, seconds, attention)

    def predict(
        self, beam: int, alternatives: int, attention: bool, pictures: list[Scales]
    ) -> Sequence[tuple[Prepared, FormulaRead, Map | None]]:
        """Read prepared pictures, on the model's thread; with maps of attention if they are wanted."""
        found = self.predictor.predict_scales(pictures, beam, alternatives)
        if not attention:
            return [(prepared, reading, None) for prepared, reading in found]
        images, formulas = zip(*((prepared.image, reading.tokens) for prepared, reading in found), strict=True)
        maps = self.predictor.attend(images, formulas)
        return [(*read, looked) for read, looked in zip(found, maps, strict=True)]

    async def in_pool(self, function: Callable[..., T], *arguments: object) -> T:
        """Call a function on one of the threads that prepare pictures."""
        return await asyncio.get_running_loop().run_in_executor(self.preparers, function, *arguments)

    async def fetch(self, url: str) -> bytes:
        """Fetch a picture on a thread of its own; a name server that hangs holds up that thread and nothing else."""
        if not self.may_fetch.acquire(blocking=False):
            raise busy("The server fetches as many pictures as it can; try again.")
        job = self.fetchers.submit(fetch_image, url, self.settings)
        job.add_done_callback(lambda _: self.may_fetch.release())
        try:
            return await asyncio.wait_for(asyncio.wrap_future(job), self.settings.total_seconds + 1)
        except TimeoutError:
            raise Problem(422, "url_failed", "Fetching image_url took too long.") from None

    async def tidy(self) -> None:
        """Hand back the memory of batches that have run, until cancelled; the lifespan holds this task."""
        while True:
            await self.batcher.done.wait()
            self.batcher.done.clear()
            await self.in_pool(give_back_memory)
            await asyncio.sleep(TIDY_SECONDS)

    def close(self) -> None:
        """Wait for the batch that runs; what hangs in a fetch is left."""
        self.model.shutdown(cancel_futures=True)
        self.preparers.shutdown(cancel_futures=True)
        self.fetchers.shutdown(wait=False, cancel_futures=True)
