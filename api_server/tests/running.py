"""A server on a thread of the test's own process, and raw connections to it."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from api_server.app import create_app
from api_server.process import make_server
from api_server.settings import Settings
from api_server.tests.fakes import FakePredictor

QUICK = Settings(header_seconds=0.5, body_seconds=0.5, drain_seconds=0.5)


class Running:
    """A server on a thread of this process, and its port."""

    def __init__(self, settings: Settings, predictor: FakePredictor) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.server = make_server(create_app(settings, predictor), settings, "127.0.0.1", self.port)
        self.thread = threading.Thread(target=self.server.run, args=[[self.listener]])

    def url(self, path: str) -> str:
        """An address on the server."""
        return f"http://127.0.0.1:{self.port}{path}"

    def connect(self) -> socket.socket:
        """A connection to the server."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def send(self, *pieces: bytes, pause: float = 0.0) -> bytes:
        """Send pieces on one connection; returns all that comes back until it is closed."""
        with self.connect() as sock:
            try:
                for piece in pieces:
                    sock.sendall(piece)
                    time.sleep(pause)
                return everything(sock)
            except (BrokenPipeError, ConnectionResetError):
                return b""


def everything(sock: socket.socket) -> bytes:
    """What comes from a connection until it is closed."""
    answer = b""
    try:
        while piece := sock.recv(65536):
            answer += piece
    except ConnectionResetError:
        pass
    return answer


@contextmanager
def running(settings: Settings = QUICK, predictor: FakePredictor | None = None) -> Iterator[Running]:
    """A server that has started; it stops at the end."""
    server = Running(settings, predictor or FakePredictor())
    server.thread.start()
    try:
        while not server.server.started:
            time.sleep(0.01)
        yield server
    finally:
        server.server.should_exit = True
        server.thread.join(60)
        assert not server.thread.is_alive()
