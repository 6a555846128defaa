"""Small servers on loopback that answer as badly as the internet does."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from api_server.fetch import Resolve, fetch_image, resolve_host
from api_server.problems import Problem
from api_server.settings import Settings

OPEN = Settings(allow_private_addresses=True, connect_seconds=1, read_seconds=1, total_seconds=2)
"""Loopback allowed, as the servers of these tests are there."""


@contextmanager
def answering(
    *pieces: bytes, pause: float = 0.0, host: str = "127.0.0.1", port: int = 0
) -> Iterator[tuple[int, list[str]]]:
    """A server that answers every request alike, piece by piece; yields its port and what it was asked."""
    asked: list[str] = []
    listener = socket.create_server((host, port))

    def answer(connection: socket.socket) -> None:
        with connection:
            asked.append(connection.recv(65536).decode("latin-1"))
            try:
                for piece in pieces:
                    connection.sendall(piece)
                    time.sleep(pause)
            except OSError:
                return

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=[connection], daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1], asked
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def found(body: bytes) -> bytes:
    """A whole answer with a body."""
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def moved(location: str, status: int = 302) -> bytes:
    """An answer that names another place."""
    return f"HTTP/1.1 {status} Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode("latin-1")


def code_of(url: str, settings: Settings = OPEN, resolve: Resolve = resolve_host) -> str:
    """The code of the problem that fetching ends with; what it says names no address."""
    with pytest.raises(Problem) as failed:
        fetch_image(url, settings, resolve)
    assert "127.0.0.1" not in failed.value.detail
    return failed.value.code
