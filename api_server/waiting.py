"""Waiting for an answer, but not longer than its deadline, and not for a client that has left."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from fastapi import Request

from api_server.problems import client_left, late

T = TypeVar("T")


async def in_time(request: Request, work: Awaitable[T], seconds: float) -> T:
    """The result of `work`, which is cancelled at the deadline (504) or when the client leaves, whatever is first."""
    answer = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(has_left(request))
    try:
        await asyncio.wait({answer, gone}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        if gone.done():
            raise client_left()
        raise late(seconds)
    finally:
        answer.cancel()
        gone.cancel()


async def has_left(request: Request) -> None:
    """Return once the connection is closed; the body must have been received."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
