"""A house that is full says so at once; work that nobody waits for is not done; and what hangs holds up nobody else."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from inspect import isasyncgenfunction, iscoroutinefunction

import pytest
from fastapi.routing import APIRoute

from api_server.app import create_app
from api_server.metrics import Metrics
from api_server.problems import Problem
from api_server.reader import Reader
from api_server.routes import router
from api_server.settings import Settings
from api_server.streaming import stream_reading
from api_server.tests.fakes import FakePredictor, picture, serving
from api_server.uploads import JSON, Body


def post(client, **headers):
    return client.post("/v1/predict", files={"file": picture()}, headers=headers)


def metric(client, line):
    return line in client.get("/metrics").text.splitlines()


def test_beyond_the_queue_the_answer_is_503_and_when_to_come_back():
    predictor = FakePredictor(is_slow=True)
    with serving(Settings(max_queue=2), predictor) as client, ThreadPoolExecutor(2) as others:
        waiting = [others.submit(post, client) for _ in range(2)]
        while not metric(client, "im2latex_queue_depth 2.0"):
            pass
        refused = post(client)
        assert client.get("/healthz").status_code == 200
        predictor.go_on.set()
        assert [answer.result().status_code for answer in waiting] == [200, 200]
        assert post(client).status_code == 200
        assert metric(client, 'im2latex_rejects_total{reason="busy"} 1.0')
        assert metric(client, "im2latex_queue_depth 0.0")
    assert (refused.status_code, refused.json()["code"]) == (503, "busy")
    assert int(refused.headers["retry-after"]) >= 1


def test_a_full_house_does_not_receive_the_body():
    asked = []

    def body():
        asked.append("a piece")
        yield b"--x"

    with serving(Settings(max_queue=0)) as client:
        answer = client.post("/v1/predict", content=body(), headers={"content-type": "multipart/form-data; boundary=x"})
    assert answer.status_code == 503


@pytest.mark.parametrize(
    "read",
    [
        lambda reader, body: reader.read_upload(body),
        lambda reader, body: reader.read_batch(body, lambda more: None),
        lambda reader, body: anext(stream_reading(reader, body)),
    ],
    ids=["upload", "batch", "stream"],
)
def test_who_was_let_in_and_finds_no_place_learns_it_before_the_body_is_looked_into(read):
    async def ask():
        reader = Reader(FakePredictor(), Settings(max_queue=0), Metrics())
        try:
            await read(reader, Body(JSON, b"", b"not JSON"))
        finally:
            reader.close()

    with pytest.raises(Problem) as refused:
        asyncio.run(ask())
    assert refused.value.code == "busy"


def test_no_route_takes_a_thread_for_what_it_depends_on():
    def calls(dependant):
        for one in dependant.dependencies:
            yield one.call
            yield from calls(one)

    found = {call for route in router.routes if isinstance(route, APIRoute) for call in calls(route.dependant)}
    assert found
    assert not [call for call in found if not (iscoroutinefunction(call) or isasyncgenfunction(call))]


def test_bodies_together_hold_no_more_than_they_may():
    with serving(Settings(max_body_bytes=100)) as client:
        assert post(client).json()["code"] == "busy"
        assert client.app.state.service.received_bytes == 0


def test_at_the_deadline_the_answer_is_504_and_the_work_is_dropped():
    predictor = FakePredictor(is_slow=True)
    with serving(Settings(deadline_seconds=1.0, threads=1), predictor) as client:
        first, second = post(client), post(client)
        predictor.go_on.set()
    assert (first.status_code, first.json()["code"]) == (504, "deadline_exceeded")
    assert second.status_code == 504
    assert len(predictor.batches) == 1, "the second was dropped before the model was free"


def ask_and_leave(app, after):
    """Send one request to an application and close the connection once `after` is set."""
    body = picture()
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    messages = [{"type": "http.request", "body": head + body + b"\r\n--x--\r\n", "more_body": False}]
    sent = []

    async def receive():
        if messages:
            return messages.pop()
        await asyncio.to_thread(after.wait, 60)
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    headers = [(b"content-type", b"multipart/form-data; boundary=x")]
    scope = {"type": "http", "http_version": "1.1", "method": "POST", "path": "/v1/predict", "root_path": ""}
    scope |= {"raw_path": b"/v1/predict", "query_string": b"", "headers": headers, "client": ("127.0.0.1", 1)}
    scope |= {"server": ("127.0.0.1", 80), "scheme": "http", "state": {}}
    return app(scope, receive, send), sent


def test_a_client_that_left_is_not_computed():
    predictor = FakePredictor(is_slow=True)
    app = create_app(Settings(threads=1), predictor)

    async def test():
        async with app.router.lifespan_context(app):
            stays, leaves = threading.Event(), threading.Event()
            first = asyncio.create_task(ask_and_leave(app, stays)[0])
            await asyncio.to_thread(predictor.has_begun.wait, 60)
            second, sent = ask_and_leave(app, leaves)
            second = asyncio.create_task(second)
            while len(app.state.service.reader.batcher.waiting) == 0:
                await asyncio.sleep(0.01)
            leaves.set()
            await second
            predictor.go_on.set()
            await first
            stays.set()
            return sent

    sent = asyncio.run(test())
    assert sent[0]["status"] == 499
    assert len(predictor.batches) == 1


def test_fetches_that_hang_are_bounded():
    with serving(Settings(max_fetches=1)) as client:
        client.app.state.service.reader.may_fetch.acquire()
        answer = client.get("/v1/predict", params={"image_url": "http://example.com/"})
        assert (answer.status_code, answer.json()["code"]) == (503, "busy")


@pytest.mark.parametrize("failure", [RuntimeError("broken"), ValueError("broken")])
def test_a_model_that_fails_frees_its_place(failure):
    predictor = FakePredictor(failure)
    with serving(Settings(max_queue=1), predictor) as client:
        assert post(client).status_code == 500
        predictor.failure = None
        assert post(client).status_code == 200
