"""Receiving a request body: counted while it comes, and not waited for without end."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Request
from python_multipart.multipart import parse_options_header
from starlette.requests import ClientDisconnect

from api_server.problems import Problem, busy, client_left
from api_server.service import get_service
from api_server.uploads import FORM, JSON, Body, too_large

WRAPPING = 64 * 1024
"""Bytes that JSON or a form may add around the picture."""


async def read_upload(request: Request) -> AsyncIterator[Body]:
    """Receive a body with one picture, as JSON or a form; its bytes count until the answer is out."""
    async with receive(request, (JSON, FORM), 1) as body:
        yield body


async def read_uploads(request: Request) -> AsyncIterator[Body]:
    """Receive a body with some pictures, as JSON; together they may be as large as four of the largest."""
    async with receive(request, (JSON,), 4) as body:
        yield body


@asynccontextmanager
async def receive(request: Request, kinds: tuple[str, ...], pictures: int) -> AsyncIterator[Body]:
    """Receive a body of a known type; raises a Problem once it is too large, too slow, or too much at this time."""
    service = await get_service(request)
    settings = service.settings
    content_type, options = parse_options_header(request.headers.get("content-type"))
    kind = content_type.decode("latin-1").lower()
    if kind not in kinds:
        raise Problem(415, "unsupported_media_type", f"Send {' or '.join(kinds)}.")
    limit = pictures * settings.max_upload_bytes
    most = WRAPPING + (limit if kind == FORM else -(-limit * 4 // 3))
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > most:
        raise too_large(limit)
    taken = 0
    content = bytearray()
    try:
        async for chunk in in_time(request, settings.body_seconds):
            taken += len(chunk)
            service.received_bytes += len(chunk)
            if taken > most:
                raise too_large(limit)
            if service.received_bytes > settings.max_body_bytes:
                raise busy("The server is receiving as much as it can hold; try again.")
            content += chunk
        yield Body(kind, options.get(b"boundary", b""), bytes(content))
    finally:
        service.received_bytes -= taken


async def in_time(request: Request, seconds: float) -> AsyncIterator[bytes]:
    """The pieces of a body; raises a Problem when it takes too long, or its client leaves."""
    end = time.monotonic() + seconds
    stream = request.stream()
    while True:
        try:
            yield await asyncio.wait_for(anext(stream), end - time.monotonic())
        except StopAsyncIteration:
            return
        except TimeoutError:
            detail = f"The body took longer than {seconds:g} seconds."
            raise Problem(408, "request_timeout", detail, {"Connection": "close"}) from None
        except ClientDisconnect:
            raise client_left() from None
