"""A line of JSON for each request, joined to it by an id; nothing of what the client sent is in it."""

import json
import logging
import sys

import pytest

from api_server.logs import JsonLines, request_id
from api_server.tests.fakes import FakePredictor, picture, serving


def test_an_id_that_was_sent_comes_back_and_stands_in_the_log(caplog):
    with caplog.at_level(logging.INFO), serving() as client:
        answer = client.post("/v1/predict", files={"file": picture()}, headers={"X-Request-ID": "order-66"})
    assert answer.headers["x-request-id"] == "order-66"
    (record,) = [record for record in caplog.records if record.getMessage() == "request"]
    assert (record.method, record.route, record.status) == ("POST", "/v1/predict", 200)
    assert record.seconds >= 0


@pytest.mark.parametrize("sent", ["", "a b", "x" * 65, "\u00e9", 'a"}'])
def test_an_id_that_is_not_plain_is_replaced(sent):
    with serving() as client:
        first, second = (
            client.get("/healthz", headers={"X-Request-ID": sent.encode()}).headers["x-request-id"] for _ in range(2)
        )
    assert len(first) == 32
    assert first != second


@pytest.mark.parametrize("path", ["/healthz", "/nowhere", "/v1/predict"])
def test_every_answer_has_an_id(path):
    with serving() as client:
        assert client.get(path).headers["x-request-id"]


def test_a_fault_of_the_server_has_the_id_too():
    with serving(predictor=FakePredictor(RuntimeError("broken"))) as client:
        answer = client.post("/v1/predict", files={"file": picture()}, headers={"X-Request-ID": "order-66"})
    assert (answer.status_code, answer.headers["x-request-id"]) == (500, "order-66")


def test_a_record_becomes_one_line_of_json():
    token = request_id.set("order-66")
    try:
        raise ValueError("two\nlines")
    except ValueError:
        record = logging.LogRecord("api_server", logging.ERROR, "", 0, "it %s", ("broke",), sys.exc_info())
    text = JsonLines().format(record)
    request_id.reset(token)
    line = json.loads(text)
    assert "\n" not in text
    assert (line["level"], line["message"], line["request_id"]) == ("ERROR", "it broke", "order-66")
    assert line["traceback"].endswith("two\nlines")


def test_the_log_names_no_path_query_or_body(caplog):
    secret = "this-was-sent-by-the-client"
    with caplog.at_level(logging.INFO, "api_server"), serving() as client:
        client.get(f"/{secret}?a={secret}")
        client.get("/v1/predict", params={"image_url": f"ftp://{secret}/"})
        client.post("/v1/predict", json={"image": secret})
    lines = [JsonLines().format(record) for record in caplog.records if record.name == "api_server"]
    assert len(lines) == 5
    assert not any(secret in line for line in lines)
