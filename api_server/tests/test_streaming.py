"""Tokens come as they are read, then the answer that the other addresses give; errors come before, or as events."""

import json
import time

import pytest

from api_server.settings import Settings
from api_server.tests.fakes import FakePredictor, picture, serving
from api_server.tests.running import running
from api_server.tests.test_process import FORM
from im2latex.errors import ImageError

STREAM = "/v1/predict/stream"


def events(text):
    lines = [event.split("\n") for event in text.removesuffix("\n\n").split("\n\n")]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in lines]


def test_an_event_for_each_token_and_then_the_whole_answer():
    with serving() as client:
        answer = client.post(STREAM, files={"file": picture()}, data={"formats": "latex"})
        whole = client.post("/v1/predict", files={"file": picture()}, data={"formats": "latex"}).json()
    assert answer.headers["content-type"].startswith("text/event-stream")
    *tokens, (name, last) = events(answer.text)
    assert [name for name, _ in tokens] == ["token"] * 5
    assert [token for _, token in tokens] == whole["tokens"]
    assert name == "answer"
    assert {**last, "seconds": 0} == {**whole, "seconds": 0}


def test_the_answer_at_the_end_tells_where_the_model_looked_when_asked():
    with serving() as client:
        answer = client.post(STREAM, files={"file": picture()}, data={"attention": "true"})
        whole = client.post("/v1/predict", files={"file": picture()}, data={"attention": "true"}).json()
    _, last = events(answer.text)[-1]
    assert len(last["attention"]["boxes"]) == 5
    assert last["attention"] == whole["attention"]


def test_attention_of_a_model_that_cannot_tell_it_is_refused_before_the_stream():
    predictor = FakePredictor()
    predictor.can_explain = False
    with serving(predictor=predictor) as client:
        answer = client.post(STREAM, files={"file": picture()}, data={"attention": "true"})
    assert (answer.status_code, answer.json()["code"]) == (422, "no_attention")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"files": {"file": b"hallo"}}, 422, "unreadable_image"),
        ({"json": {"image": "no base64!"}}, 422, "invalid_base64"),
        ({"files": {"file": picture()}, "data": {"beam": "2"}}, 422, "invalid_request"),
        ({"files": {"file": picture()}, "data": {"alternatives": "1"}}, 422, "invalid_request"),
        ({"content": b"x"}, 415, "unsupported_media_type"),
    ],
)
def test_what_cannot_be_read_is_a_problem_and_no_stream(body, status, code):
    with serving() as client:
        answer = client.post(STREAM, **body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_what_the_model_refuses_is_a_problem_and_frees_the_place():
    with serving(Settings(max_queue=1), FakePredictor(ImageError("the picture is blank"))) as client:
        for _ in range(2):
            answer = client.post(STREAM, files={"file": picture()})
            assert (answer.status_code, answer.json()["code"]) == (422, "unreadable_image")


def test_a_stream_that_takes_too_long_ends_with_a_problem():
    predictor = FakePredictor(is_slow=True)
    with serving(Settings(deadline_seconds=0.3), predictor) as client:
        answer = client.post(STREAM, files={"file": picture()})
        predictor.go_on.set()
    assert [(name, body.get("code")) for name, body in events(answer.text)] == [
        ("token", None),
        ("problem", "deadline_exceeded"),
    ]


def test_a_full_house_takes_no_stream():
    with serving(Settings(max_queue=0)) as client:
        assert client.post(STREAM, files={"file": picture()}).status_code == 503


def test_who_leaves_in_the_middle_ends_the_reading():
    predictor = FakePredictor(is_slow=True)
    head = b"POST /v1/predict/stream HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    with running(Settings(), predictor) as server:
        with server.connect() as leaving:
            leaving.sendall(head + b"Content-Length: %d\r\n\r\n" % len(FORM) + FORM)
            while b"event: token" not in leaving.recv(65536):
                pass
        while server.server.service.reader.inside:
            time.sleep(0.01)
        predictor.go_on.set()
    assert len(predictor.told) <= 2
