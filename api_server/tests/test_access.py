"""Keys and limits bind when they are set, and the log says so when they are not."""

import logging

import pytest

from api_server.app import create_app
from api_server.settings import Settings
from api_server.tests.fakes import FakePredictor, picture, serving
from im2latex.errors import ConfigError

KEYS = Settings(api_keys=("first-key", "second-key"))


def post(client, **headers):
    return client.post("/v1/predict", files={"file": picture()}, headers=headers)


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer first-key"},
        {"Authorization": "bearer second-key"},
        {"X-API-Key": "second-key"},
    ],
)
def test_a_known_key_opens(headers):
    with serving(KEYS) as client:
        assert post(client, **headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer first-ke"},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic first-key"},
        {"Authorization": "first-key"},
        {"X-API-Key": ""},
        {"X-API-Key": "first-key,second-key"},
    ],
)
def test_without_a_key_nothing_is_read_and_the_key_is_not_repeated(headers):
    predictor = FakePredictor()
    with serving(KEYS, predictor) as client:
        for path in ("/v1/predict", "/v1/predict/batch"):
            answer = client.post(path, json={"image": "a", "images": ["a"]}, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
            assert answer.headers["www-authenticate"] == "Bearer"
            assert "first-ke" not in answer.text
        assert client.get("/v1/predict?image_url=http://example.com/", headers=headers).status_code == 401
        assert client.get("/readyz").status_code == 200
    assert predictor.batches == []


def test_the_rate_limit_counts_pictures_and_says_when_to_come_back():
    with serving(Settings(rate_limit="3/minute")) as client:
        assert client.post("/v1/predict/batch", json={"images": ["a", "b"]}).status_code == 200
        assert post(client).status_code == 200
        answer = post(client)
        assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
        assert 1 <= int(answer.headers["retry-after"]) <= 120


def test_each_key_has_a_limit_of_its_own():
    with serving(Settings(api_keys=("a", "b"), rate_limit="1/minute")) as client:
        statuses = [post(client, **{"X-API-Key": key}).status_code for key in "aabb"]
    assert statuses == [200, 429, 200, 429]


@pytest.mark.parametrize(
    "rate_limit",
    ["often", " ", "60/minute;5/second", "60/minute,5/second", "60/minute|5/second", "0/minute", "5/0 minute"],
)
def test_a_limit_that_means_nothing_or_only_in_part_stops_the_start(rate_limit):
    with pytest.raises(ConfigError, match="IM2LATEX_RATE_LIMIT must be one positive limit") as refused:
        create_app(Settings(rate_limit=rate_limit), FakePredictor())
    assert repr(rate_limit) in str(refused.value)


@pytest.mark.parametrize("rate_limit", ["10/minute", "10 per 2 hours", "100/day"])
def test_one_limit_is_read_however_it_is_written(rate_limit):
    assert create_app(Settings(rate_limit=rate_limit), FakePredictor()).state.service.access.rate is not None


def test_an_open_server_says_so_at_its_start(caplog):
    with caplog.at_level(logging.WARNING), serving():
        pass
    assert "IM2LATEX_API_KEYS" in caplog.text
    assert "IM2LATEX_RATE_LIMIT" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING), serving(Settings(api_keys=("a",), rate_limit="9/minute")):
        pass
    assert caplog.text == ""
