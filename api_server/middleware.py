"""What happens to every request before and after its route: an id, a line in the log, counters, and the full house."""

import logging
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api_server.logs import ID_HEADER, choose_id, request_id
from api_server.problems import busy
from api_server.service import Service

logger = logging.getLogger("api_server")
ANSWERED_BY_MODEL = ("/v1/predict", "/v1/predict/batch", "/v1/predict/stream")


class Observe:
    """Gives each request an id, counts and times it under its route, not its path, and logs a line."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self.app = app
        self.service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; the answer carries its id, and ends its connection while the server drains."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500
        request_id.set(choose_id(Headers(scope=scope).get(ID_HEADER, "")))

        async def mark(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[ID_HEADER] = request_id.get()
                if self.service.is_draining:
                    headers["Connection"] = "close"
            await send(message)

        try:
            await self.app(scope, receive, mark)
        finally:
            self.note(scope, status, time.perf_counter() - started)

    def note(self, scope: Scope, status: int, seconds: float) -> None:
        """Count and log an answered request."""
        other = scope["path"] if scope["path"] in ANSWERED_BY_MODEL else "other"
        route = getattr(scope.get("route"), "path", other)
        self.service.metrics.requests.labels(route, str(status)).inc()
        self.service.metrics.request_seconds.labels(route).observe(seconds)
        line = {"method": scope["method"], "route": route, "status": status, "seconds": round(seconds, 4)}
        logger.info("request", extra=line)


class RefuseWhenFull:
    """Answers 503 before a body is received, when the picture in it would find no place."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self.app = app
        self.service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on unless it is for the model and the house is full."""
        reader = self.service.reader
        if scope["type"] == "http" and scope["path"] in ANSWERED_BY_MODEL and reader is not None and reader.is_full:
            self.service.metrics.rejects.labels("busy").inc()
            problem = busy("The server has as many pictures as it can bear; try again.")
            await problem.response()(scope, receive, send)
            return
        await self.app(scope, receive, send)
