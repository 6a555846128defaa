"""A formula token by token, as it is read: server-sent events, and the whole answer as the last of them."""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from functools import partial

from pydantic import BaseModel

from api_server.batching import Work
from api_server.pictures import prepare_picture
from api_server.predictions import FormulaRead, ReadsFormulas, TokenRead, check_attention, to_attention, to_reading
from api_server.problems import Problem, late
from api_server.reader import Reader
from api_server.schemas import Reading, Token
from api_server.uploads import Body, parse_upload
from im2latex.explanation import Map
from im2latex.images import Prepared
from im2latex.second_look import Scales

MEDIA_TYPE = "text/event-stream"


async def stream_reading(reader: Reader, body: Body) -> AsyncGenerator[Token | Reading, None]:
    """Yield each token, then the reading; raises ImageError before the first. Who leaves ends the work."""
    loop, tokens, has_left = asyncio.get_running_loop(), asyncio.Queue[TokenRead | None](), threading.Event()
    with reader.places(1):
        options, data = await reader.in_pool(parse_upload, body, reader.settings.max_upload_bytes)
        if options.beam > 1 or options.alternatives:
            raise Problem(422, "invalid_request", "A stream is read token by token: leave out beam and alternatives.")
        check_attention(reader.predictor, options)
        scales = await reader.in_pool(prepare_picture, data, reader.predictor.bundle.spec, reader.settings)

        def tell(token: TokenRead) -> None:
            loop.call_soon_threadsafe(tokens.put_nowait, token)

        run = partial(read_aloud, reader.predictor, options.attention, has_left, tell)
        answer = asyncio.ensure_future(reader.batcher.answer(Work(object(), run, scales)))
        answer.add_done_callback(lambda _: tokens.put_nowait(None))
        try:
            while (token := await tokens.get()) is not None:
                yield Token(token=token.token, confidence=token.confidence)
            (prepared, found, maps), seconds = answer.result()
        finally:
            has_left.set()
            answer.cancel()
        reader.metrics.tokens.inc(len(found.token_confidences))
        attention = None if maps is None else await reader.in_pool(to_attention, maps, prepared)
        yield await reader.in_pool(to_reading, found, options, reader.predictor.name, seconds, attention)


def read_aloud(
    predictor: ReadsFormulas,
    attention: bool,
    has_left: threading.Event,
    tell: Callable[[TokenRead], None],
    items: list[Scales],
) -> list[tuple[Prepared, FormulaRead, Map | None] | None]:
    """Read one picture on the model's thread, telling each token; stops when nobody listens any more."""
    (scales,) = items
    tokens = predictor.stream_scales(scales)
    while not has_left.is_set():
        try:
            tell(next(tokens))
        except StopIteration as end:
            prepared, found = end.value
            return [(prepared, found, predictor.attend([prepared.image], [found.tokens])[0] if attention else None)]
    return [None]


async def to_events(
    first: Token | Reading, rest: AsyncGenerator[Token | Reading, None], seconds: float
) -> AsyncIterator[bytes]:
    """Write tokens and reading as events; what goes wrong on the way is an event, too."""
    end = time.monotonic() + seconds
    try:
        yield to_event(first)
        while True:
            yield to_event(await asyncio.wait_for(anext(rest), end - time.monotonic()))
    except StopAsyncIteration:
        return
    except TimeoutError:
        yield to_event(late(seconds).document())
    except Problem as problem:
        yield to_event(problem.document())
    finally:
        await rest.aclose()


def to_event(data: BaseModel) -> bytes:
    """One event: token, answer or problem, with its JSON."""
    name = {Token: "token", Reading: "answer"}.get(type(data), "problem")
    return f"event: {name}\ndata: {data.model_dump_json()}\n\n".encode()
