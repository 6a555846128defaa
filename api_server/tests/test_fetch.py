"""Fetching a picture by URL: what was checked is what is asked, and nobody can hold the server up."""

import socket
import threading
import time
from contextlib import contextmanager

import pytest

from api_server.fetch import fetch_image
from api_server.problems import Problem
from api_server.settings import Settings
from api_server.tests.fakes import picture

OPEN = Settings(allow_private_addresses=True, connect_seconds=1, read_seconds=1, total_seconds=2)
"""Loopback allowed, as the servers of these tests are there."""


@contextmanager
def answering(*pieces, pause=0.0):
    """A server on loopback that answers every request alike; yields its port and what it was asked."""
    asked = []
    listener = socket.create_server(("127.0.0.1", 0))

    def answer(connection):
        with connection:
            asked.append(connection.recv(65536).decode("latin-1"))
            try:
                for piece in pieces:
                    connection.sendall(piece)
                    time.sleep(pause)
            except OSError:
                return

    def serve():
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


def found(body):
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def moved(location):
    return f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()


def code_of(url, settings=OPEN, **resolve):
    with pytest.raises(Problem) as failed:
        fetch_image(url, settings, **resolve)
    assert "127.0.0.1" not in failed.value.detail
    return failed.value.code


def test_a_picture_is_fetched():
    with answering(found(picture())) as (port, _):
        assert fetch_image(f"http://127.0.0.1:{port}/a.png", OPEN) == picture()


def test_the_checked_address_is_asked_under_the_original_name():
    looked_up = []

    def resolve(host, port):
        looked_up.append(host)
        return ["127.0.0.1"]

    with answering(found(b"x")) as (port, asked):
        assert fetch_image(f"http://pictures.example:{port}/a.png?b=c", OPEN, resolve) == b"x"
    assert looked_up == ["pictures.example"]
    assert asked[0].startswith("GET /a.png?b=c HTTP/1.1\r\n")
    assert f"Host: pictures.example:{port}\r\n" in asked[0]
    assert asked[0].lower().count("host:") == 1


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["::1"], ["169.254.169.254"]])
def test_a_name_with_any_private_address_is_refused(addresses):
    assert code_of("http://rebind.example/", Settings(), resolve=lambda *_: addresses) == "url_refused"


def test_a_name_without_an_address_fails():
    def resolve(host, port):
        raise socket.gaierror

    assert code_of("http://nowhere.example/", Settings(), resolve=resolve) == "url_failed"
    assert code_of("http://nowhere.example/", Settings(), resolve=lambda host, port: []) == "url_failed"


def test_redirects_are_followed_and_relative_ones_understood():
    with (
        answering(found(b"here")) as (goal, asked),
        answering(moved(f"http://127.0.0.1:{goal}/b.png")) as (port, _),
    ):
        assert fetch_image(f"http://127.0.0.1:{port}/a.png", OPEN) == b"here"
    assert asked[0].startswith("GET /b.png ")


def test_a_redirect_is_checked_like_the_first_url():
    for location in ("file:///etc/passwd", "http://user@example.com/", "http://0x7f.1/", ""):
        with answering(moved(location)) as (port, asked):
            assert code_of(f"http://127.0.0.1:{port}/") == "url_refused"
        assert len(asked) <= 4


def test_a_public_page_cannot_redirect_into_the_network(monkeypatch):
    with answering(moved("http://intranet.example/")) as (port, _):
        def public(host, port):
            return ["8.8.8.8"] if host == "public.example" else ["10.0.0.1"]

        def connect(address, timeout):
            assert address == ("8.8.8.8", 80), "only the public address may be asked"
            return real(("127.0.0.1", port), timeout)

        real = socket.create_connection
        monkeypatch.setattr(socket, "create_connection", connect)
        assert code_of("http://public.example/", Settings(), resolve=public) == "url_refused"


def test_endless_redirects_end():
    with answering(moved("/again")) as (port, asked):
        assert code_of(f"http://127.0.0.1:{port}/") == "url_refused"
    assert len(asked) == OPEN.max_redirects + 1


@pytest.mark.parametrize(
    ("pieces", "code"),
    [
        ((b"HTTP/1.1 404 Not Found\r\nContent-Length: 6\r\n\r\nsecret",), "url_failed"),
        ((b"not http at all\r\n\r\n",), "url_failed"),
        ((b"",), "url_failed"),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",), "url_failed"),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n" + b"x" * 2000,), "url_too_large"),
        ((found(b"x" * 2000),), "url_too_large"),
        ((b"HTTP/1.1 200 OK\r\n\r\n", *[b"x" * 500] * 8), "url_too_large"),
        ((b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",), "url_failed"),
        ((b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 1000,), "url_failed"),
    ],
)
def test_a_bad_answer_is_a_problem_that_does_not_repeat_it(pieces, code):
    settings = Settings(allow_private_addresses=True, max_upload_bytes=1000)
    with answering(*pieces) as (port, _):
        assert code_of(f"http://127.0.0.1:{port}/", settings) == code


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"])
def test_a_server_that_drips_is_left_at_the_total_time(start):
    settings = Settings(allow_private_addresses=True, read_seconds=1, total_seconds=0.5)
    with answering(start, *[b"x"] * 50, pause=0.1) as (port, _):
        started = time.monotonic()
        assert code_of(f"http://127.0.0.1:{port}/", settings) == "url_failed"
        assert time.monotonic() - started < 2


def test_a_server_that_says_nothing_is_left_at_the_read_time():
    settings = Settings(allow_private_addresses=True, read_seconds=0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        assert code_of(f"http://127.0.0.1:{silent.getsockname()[1]}/", settings) == "url_failed"
        assert time.monotonic() - started < 2


def test_https_is_spoken_with_the_certificate_checked():
    with answering(found(b"plain")) as (port, _):
        assert code_of(f"https://127.0.0.1:{port}/") == "url_failed"


def test_the_switch_turns_fetching_off():
    with answering(found(b"x")) as (port, asked):
        assert code_of(f"http://127.0.0.1:{port}/", Settings(image_url=False)) == "url_refused"
    assert asked == []
