"""Fetching a picture by URL: what was checked is what is asked, and nobody can hold the server up."""

import socket
import time

import pytest

from api_server.fetch import fetch_image
from api_server.problems import Problem
from api_server.settings import Settings
from api_server.tests.fakes import picture
from api_server.tests.loopback import OPEN, answering, code_of, found

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


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
        ((b"HTTP/1.1 200 OK\r\nA: " + b"b" * 100_000 + b"\r\n\r\n",), "url_failed"),
        ((b"HTTP/1.1 200 " + b"b" * 100_000 + b"\r\n\r\n",), "url_failed"),
        ((b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx",), "url_failed"),
        ((CHUNKED + b"1F4\r\n%s\r\n" % (b"x" * 500) * 8 + b"0\r\n\r\n",), "url_too_large"),
        ((CHUNKED + b"-5\r\nx\r\n",), "url_failed"),
        ((CHUNKED + b"0" * 100_000,), "url_failed"),
        ((b"HTTP/1.1 206 Partial Content\r\nContent-Length: 1\r\n\r\nx",), "url_failed"),
        ((b"HTTP/1.1 204 No Content\r\n\r\n",), "url_failed"),
        ((b"HTTP/1.1 304 Not Modified\r\n\r\n",), "url_failed"),
        ((b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n",), "url_failed"),
        ((b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",), "url_failed"),
        ((b"HTTP/9.9 200 OK\r\n\r\n",), "url_failed"),
        ((b"HTTP/1.1 abc OK\r\n\r\n",), "url_failed"),
        ((b"\x00" * 1000,), "url_failed"),
        ((b"SSH-2.0-OpenSSH_9.2\r\n",), "url_failed"),
    ],
)
def test_a_bad_answer_is_a_problem_that_does_not_repeat_it(pieces, code):
    settings = Settings(allow_private_addresses=True, max_upload_bytes=1000)
    with answering(*pieces) as (port, _):
        assert code_of(f"http://127.0.0.1:{port}/", settings) == code


@pytest.mark.parametrize(
    "start",
    [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"],
    ids=["no head", "a body of a known length", "a body that ends with its connection"],
)
def test_what_drips_beyond_the_total_time_is_left_and_not_taken_for_whole(start):
    settings = Settings(allow_private_addresses=True, read_seconds=1, total_seconds=0.5)
    with answering(start, *[b"x"] * 50, pause=0.1) as (port, _):
        started = time.monotonic()
        with pytest.raises(Problem, match="took too long"):
            fetch_image(f"http://127.0.0.1:{port}/", settings)
        assert time.monotonic() - started < 2


@pytest.mark.parametrize("answer", [found(b""), b"HTTP/1.1 200 OK\r\n\r\n", CHUNKED + b"0\r\n\r\n"])
def test_an_empty_answer_is_said_to_be_empty(answer):
    with answering(answer) as (port, _), pytest.raises(Problem, match="answered with nothing"):
        fetch_image(f"http://127.0.0.1:{port}/", OPEN)


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


@pytest.mark.parametrize("settings", [Settings(image_url_hosts=("pictures.example", ".wiki.example"))])
@pytest.mark.parametrize(
    ("host", "is_allowed"),
    [
        ("pictures.example", True),
        ("PICTURES.example.", True),
        ("en.wiki.example", True),
        ("wiki.example", False),
        ("evilwiki.example", False),
        ("sub.pictures.example", False),
        ("pictures.example.evil.example", False),
        ("8.8.8.8", False),
    ],
)
def test_only_hosts_on_the_list_are_asked_if_there_is_one(settings, host, is_allowed):
    looked_up = []

    def resolve(name, port):
        looked_up.append(name)
        return []

    code = code_of(f"http://{host}/a.png", settings, resolve=resolve)
    assert code == ("url_failed" if is_allowed else "url_refused")
    assert bool(looked_up) == is_allowed


def test_a_name_that_changes_its_address_is_looked_up_once_and_that_address_asked(monkeypatch):
    addresses = iter(["8.8.8.8", "127.0.0.1", "127.0.0.1"])
    asked = []

    def connect(address, timeout):
        asked.append(address)
        raise OSError

    monkeypatch.setattr(socket, "create_connection", connect)
    assert code_of("http://rebind.example/", Settings(), resolve=lambda *_: [next(addresses)]) == "url_failed"
    assert asked == [("8.8.8.8", 80)]
    assert next(addresses) == "127.0.0.1", "it was asked for its address once"


def test_answers_that_only_say_continue_end_at_the_total_time():
    settings = Settings(allow_private_addresses=True, read_seconds=1, total_seconds=0.5)
    with answering(*[b"HTTP/1.1 100 Continue\r\n\r\n"] * 200, pause=0.02) as (port, _):
        assert code_of(f"http://127.0.0.1:{port}/", settings) == "url_failed"


def test_a_tls_server_that_says_nothing_is_left():
    settings = Settings(allow_private_addresses=True, connect_seconds=0.3, total_seconds=1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert code_of(f"https://127.0.0.1:{silent.getsockname()[1]}/", settings) == "url_failed"


def test_the_request_carries_nothing_of_the_operator(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1/")
    with answering(found(b"x")) as (port, asked):
        assert fetch_image(f"http://127.0.0.1:{port}/a%0d%0aX:%20y?q=%0a", OPEN) == b"x"
    head = asked[0].lower()
    assert head.startswith("get /a%0d%0ax:%20y?q=%0a http/1.1\r\n")
    assert not any(name in head for name in ("cookie", "authorization", "referer", "forwarded"))
    assert "accept-encoding: identity" in head
