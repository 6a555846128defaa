"""The server as users meet it: a process of its own, asked over HTTP."""

import base64
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from api_server.tests.bundles import make_bundle
from api_server.tests.fakes import picture

TRAINING_ONLY = ["pytorch_lightning", "torchvision", "wandb", "im2latex.data", "im2latex.lit_model"]


def check_reading(response):
    assert response.status_code == 200, response.text
    answer = response.json()
    named = {"pred", "confidence", "tokens", "alternatives", "formats", "likeness", "attention", "model", "seconds"}
    assert set(answer) == named
    assert answer["pred"] == "x_{1}"
    assert " ".join(token["token"] for token in answer["tokens"]) == "x _ { 1 }"
    assert 0 < answer["confidence"] < 1


def test_a_picture_sent_as_a_form(server):
    check_reading(requests.post(f"{server}/v1/predict", files={"file": picture()}, timeout=30))


def test_a_picture_sent_as_a_data_url(server):
    url = "data:image/webp;base64," + base64.b64encode(picture("WEBP")).decode()
    check_reading(requests.post(f"{server}/v1/predict", json={"image": url}, timeout=30))


def test_a_picture_named_by_its_url(server, picture_url):
    check_reading(requests.get(f"{server}/v1/predict", params={"image_url": picture_url}, timeout=30))


def test_a_picture_with_alternatives_and_mathml(server):
    options = {"beam": 4, "alternatives": 2, "formats": "mathml"}
    answer = requests.post(f"{server}/v1/predict", files={"file": picture()}, data=options, timeout=60)
    check_reading(answer)
    assert [other["pred"] for other in answer.json()["alternatives"]] == ["x_{1}", "x_{1}"]
    assert answer.json()["formats"]["mathml"].startswith("<math ")


def test_a_picture_token_by_token(server):
    answer = requests.post(f"{server}/v1/predict/stream", files={"file": picture()}, timeout=60)
    *tokens, last = (json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: "))
    whole = requests.post(f"{server}/v1/predict", files={"file": picture()}, timeout=60).json()
    assert tokens == whole["tokens"]
    assert {**last, "seconds": 0} == {**whole, "seconds": 0}


def test_pictures_sent_together(server):
    images = [base64.b64encode(data).decode() for data in (picture(), b"none", picture("GIF"))]
    answers = requests.post(f"{server}/v1/predict/batch", json={"images": images}, timeout=60).json()["answers"]
    assert [answer.get("pred", answer.get("code")) for answer in answers] == ["x_{1}", "unreadable_image", "x_{1}"]


def test_a_blank_picture_is_a_problem(server):
    body = picture(size=(5, 5))    # too small to hold the ink
    response = requests.post(f"{server}/v1/predict", files={"file": body}, timeout=30)
    assert (response.status_code, response.json()["code"]) == (422, "unreadable_image")


def test_many_clients_at_once_are_all_answered_while_health_stays_quick(server):
    def ask(_):
        return requests.post(f"{server}/v1/predict", files={"file": picture()}, timeout=60)

    with ThreadPoolExecutor(8) as clients:
        answers = clients.map(ask, range(40))
        assert requests.get(f"{server}/healthz", timeout=5).json() == {"status": "ok"}
        for answer in answers:
            check_reading(answer)


@pytest.mark.parametrize("path", ["/", "/docs", "/openapi.json", "/metrics", "/healthz", "/readyz"])
def test_every_address_of_the_contract_answers(server, path):
    assert requests.get(server + path, timeout=30).status_code == 200


def test_a_server_that_has_read_a_picture_has_loaded_nothing_of_training(tmp_path):
    code = f"""
import sys
from fastapi.testclient import TestClient
from api_server.app import create_app
from api_server.settings import Settings
from api_server.tests.fakes import picture
with TestClient(create_app(Settings(bundle={str(make_bundle(tmp_path / "constant.pt"))!r}))) as client:
    assert client.post("/v1/predict", files={{"file": picture()}}).status_code == 200
print(*[name for name in {TRAINING_ONLY!r} if name in sys.modules])
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout.split()) == (0, []), result.stderr
