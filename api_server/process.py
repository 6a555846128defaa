"""One server process: how it is started, how it waits for slow clients, and how it stops without losing a request."""

import asyncio
import gc
import os
import signal
import socket
import sys
import time
from types import FrameType

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from api_server.app import create_app, load_predictor
from api_server.logs import LOGGING
from api_server.service import Service
from api_server.settings import Settings


def run(host: str, port: int) -> int:
    """Serve until told to stop; returns the exit code. Raises ConfigError for settings, BundleError for a model."""
    settings = Settings.from_environment(os.environ)
    predictor = load_predictor(settings)  # here: a failure in the lifespan would be a traceback
    server = make_server(create_app(settings, predictor), settings, host, port)
    server.run()
    return 0 if server.started else 1


def make_server(app: FastAPI, settings: Settings, host: str, port: int) -> "DrainingServer":
    """A server of the application, not yet running."""
    protocol = type("Protocol", (ImpatientProtocol,), {"seconds": settings.header_seconds})
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=protocol,
        loop="asyncio" if sys.platform == "win32" else "uvloop",    # there is no uvloop for Windows
        ws="none",
        log_config=LOGGING,
        access_log=False,
        server_header=False,
        limit_concurrency=settings.max_connections,
        timeout_graceful_shutdown=int(settings.deadline_seconds) + 1,
    )
    return DrainingServer(config, app.state.service)


class DrainingServer(uvicorn.Server):
    """Stops in three steps: /readyz says no, then nobody new comes in, then all that came is answered. Exit code 0."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self.service = service
        self.closing_time = float("inf")

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Called once; what is there when the model is warm stays, so it is never again searched for garbage.

        That search stops the process for 0.1 s: the answers of a full server would wait for it.
        """
        await super().startup(sockets)
        gc.collect()
        gc.freeze()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM leaves a load balancer the time to notice, Ctrl+C does not; a second signal waits for nothing."""
        if self.service.is_draining:
            self.force_exit = self.should_exit = True
            return
        self.service.is_draining = True
        patience = self.service.settings.drain_seconds if sig == signal.SIGTERM else 0.0
        self.closing_time = time.monotonic() + patience

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second; True ends the main loop."""
        return await super().on_tick(counter) or time.monotonic() >= self.closing_time


class ImpatientProtocol(H11Protocol):
    """HTTP/1.1 that closes the connection of a client which does not finish the head of its request in time."""

    seconds: float = 10.0
    timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self.watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self.unwatch()
        super().connection_lost(exc)

    def watch(self) -> None:
        """Run the timer while a head, or the rest of a body that was refused, is still to come."""
        is_answered = self.cycle is not None and self.cycle.response_complete
        if self.conn.their_state is h11.IDLE or (self.conn.their_state is h11.SEND_BODY and is_answered):
            self.timer = self.timer or self.loop.call_later(self.seconds, self.hang_up)
        else:
            self.unwatch()

    def unwatch(self) -> None:
        """Stop the timer."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def hang_up(self) -> None:
        """Close the connection of a client that took too long."""
        self.timer = None
        self.transport.abort()
