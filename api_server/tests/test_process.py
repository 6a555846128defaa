"""A server that speaks to sockets: slow, rude and leaving clients cost nothing, and a stop loses no request."""

import json
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from api_server import reader
from api_server.settings import Settings
from api_server.tests.fakes import FakePredictor, picture
from api_server.tests.running import running
from im2latex import cli

HEAD = b"POST /v1/predict HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=x\r\n"
FORM = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + picture() + b"\r\n--x--\r\n"
WHOLE = HEAD + b"Content-Length: %d\r\n\r\n" % len(FORM) + FORM


@pytest.fixture(scope="module")
def server():
    with running() as server:
        yield server


@pytest.fixture(autouse=True)
def still_well(request):
    """Whatever a client did, the next one is served."""
    yield
    if "server" in request.fixturenames:
        server = request.getfixturevalue("server")
        assert requests.post(server.url("/v1/predict"), files={"file": picture()}, timeout=60).status_code == 200


@pytest.mark.parametrize(
    "pieces",
    [
        [b""],
        [b"POST /v1/pre"],
        [b"GET /healthz HTTP/1.1\r\nHost: a\r\n", b"A: b\r\n", b"C: d\r\n"],
        [b"GET /healthz HTTP/1.1\r\nHost: a\r\n", *[b"A: b\r\n"] * 20],
    ],
    ids=["silent", "half a line", "head without end", "dripping head"],
)
def test_a_client_that_does_not_finish_its_head_is_left(server, pieces):
    assert server.send(*pieces, pause=0.1) == b""


def test_a_client_that_does_not_finish_its_body_is_told_so_and_left(server):
    answer = server.send(HEAD + b"Content-Length: 1000\r\n\r\n", b"--x\r\n")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"request_timeout"' in answer


def test_a_body_that_drips_has_no_longer_than_one_that_is_silent(server):
    answer = server.send(HEAD + b"Content-Length: 1000\r\n\r\n", *[b"-"] * 20, pause=0.1)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    ("request_", "statuses"),
    [
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\nBig: " + b"x" * 1_000_000 + b"\r\n\r\n", (b"400", b"431")),
        (b"GET /" + b"x" * 1_000_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", (b"400", b"414")),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\n" + b"A: b\r\n" * 100_000 + b"\r\n", (b"400", b"431")),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", (b"400",)),
        (b"GET /healthz\r\n\r\n", (b"400",)),
        (HEAD + b"Content-Length: -1\r\n\r\n", (b"400",)),
        (HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", (b"400",)),
        (HEAD + b"Content-Length: 99999999999\r\n\r\n", (b"413",)),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", (b"400", b"422")),
    ],
    ids=["long header", "long path", "many headers", "tls", "no version", "length below 0", "two lengths",
         "endless body", "broken chunk"],
)  # fmt: skip
def test_a_rude_request_is_refused(server, request_, statuses):
    answer = server.send(request_)
    assert answer == b"" or answer[9:12] in statuses


def test_a_large_body_ends_at_the_limit_though_no_length_was_said():
    settings = Settings(max_upload_bytes=100_000, header_seconds=0.5)
    with running(settings) as server:
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        answer = server.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *[chunk] * 40)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 413 ")


def test_a_client_that_hangs_up_in_its_body_is_no_fault_of_the_server(server, caplog):
    with server.connect() as sock:
        sock.sendall(HEAD + b"Content-Length: 1000\r\n\r\n--x")
    assert requests.get(server.url("/healthz"), timeout=60).status_code == 200
    assert "Traceback" not in caplog.text


def test_a_client_that_hangs_up_is_not_computed():
    predictor = FakePredictor(is_slow=True)
    with running(Settings(threads=1), predictor) as server, ThreadPoolExecutor(1) as other:
        first = other.submit(server.send, WHOLE.replace(b"Host: a", b"Host: a\r\nConnection: close"))
        assert predictor.has_begun.wait(60)
        service = server.server.service
        with server.connect() as leaving:
            leaving.sendall(WHOLE)
            while service.reader.inside < 2:
                time.sleep(0.01)
        while service.reader.inside > 1:
            time.sleep(0.01)
        predictor.go_on.set()
        assert b"x_{1}" in first.result()
    assert len(predictor.batches) == 1


def test_a_stop_answers_what_has_come_and_tells_the_load_balancer_first():
    predictor = FakePredictor(is_slow=True)
    with running(Settings(drain_seconds=1), predictor) as server, ThreadPoolExecutor(1) as other:
        assert requests.get(server.url("/readyz"), timeout=60).status_code == 200
        first = other.submit(requests.post, server.url("/v1/predict"), files={"file": picture()}, timeout=60)
        assert predictor.has_begun.wait(60)
        server.server.handle_exit(signal.SIGTERM, None)
        answer = requests.get(server.url("/readyz"), timeout=60)
        assert (answer.status_code, answer.headers["connection"]) == (503, "close")
        while not server.server.should_exit and time.monotonic() < server.server.closing_time:
            time.sleep(0.01)
        predictor.go_on.set()
        assert first.result().json()["pred"] == "x_{1}"
        server.thread.join(60)
        assert not server.thread.is_alive()
    assert server.server.started


def test_a_second_signal_does_not_wait():
    with running(Settings(drain_seconds=600)) as server:
        server.server.handle_exit(signal.SIGTERM, None)
        server.server.handle_exit(signal.SIGTERM, None)
        server.thread.join(60)
        assert not server.thread.is_alive()


def test_the_door_does_not_say_what_stands_behind_it(server):
    assert "server" not in requests.get(server.url("/healthz"), timeout=60).headers


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz"])
def test_who_asks_for_the_head_alone_gets_it_and_no_body(server, path):
    head, whole = (requests.request(method, server.url(path), timeout=60) for method in ("HEAD", "GET"))
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == whole.headers["content-length"]


def test_memory_is_handed_back_after_a_batch_and_not_while_nothing_runs(monkeypatch):
    times, has_come = [], threading.Event()
    monkeypatch.setattr(reader, "TIDY_SECONDS", 0.05)
    monkeypatch.setattr(reader, "give_back_memory", lambda: (times.append(1), has_come.set()))
    with running() as server:
        for number in (1, 2):
            time.sleep(0.2)
            assert len(times) == number - 1
            assert requests.post(server.url("/v1/predict"), files={"file": picture()}, timeout=60).status_code == 200
            assert has_come.wait(60)
            has_come.clear()


def test_two_requests_on_one_connection_are_both_answered(server):
    answer = server.send(WHOLE + WHOLE.replace(b"Host: a", b"Host: a\r\nConnection: close"))
    bodies = [json.loads(part.split(b"\r\n\r\n")[1]) for part in answer.split(b"HTTP/1.1 200 OK")[1:]]
    assert [body["pred"] for body in bodies] == ["x_{1}"] * 2


@pytest.mark.skipif(sys.platform == "win32", reason="there is no uvloop for Windows")
def test_the_loop_is_the_quick_one(server):
    assert server.server.config.loop == "uvloop"


@pytest.mark.parametrize("content", [None, b"not a model"])
def test_a_bundle_that_cannot_be_loaded_is_one_line_and_exit_code_1(tmp_path, monkeypatch, capfd, content):
    path = tmp_path / "nope.pt"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("IM2LATEX_BUNDLE", "")    # and the command sets it
    assert cli.main(["serve", "--port", "0", "--bundle", str(path)]) == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("im2latex: ")
    assert "nope.pt" in line
