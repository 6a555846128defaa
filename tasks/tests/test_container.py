"""What a running container of the image promises; tasks/docker_test.sh starts it and runs these."""

import base64
import json
import os
import subprocess
import time
from pathlib import Path

import pytest
import requests

from im2latex import Predictor

pytestmark = pytest.mark.needs_container
PICTURE = Path(__file__).parents[2] / "docs/images/formula.png"
URL = os.environ.get("URL", "")
TRAINING_ONLY = ["pytorch_lightning", "lightning", "torchvision", "wandb", "matplotlib", "pyarrow", "pytest", "pip"]


def docker(*arguments):
    """Run one docker command and return what it printed."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True, timeout=120)
    return done.stdout.strip()


def inside(*command):
    """Run a command in the container, as its own user."""
    arguments = ["docker", "exec", os.environ["CONTAINER"], *command]
    return subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def facts():
    return json.loads(docker("inspect", os.environ["CONTAINER"]))[0]


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/docs", "/openapi.json", "/"])
def test_every_address_answers(path):
    assert requests.get(URL + path, timeout=30).status_code == 200


def test_an_upload_is_read_as_the_library_reads_it():
    latex = Predictor.load().predict(PICTURE).latex
    with PICTURE.open("rb") as file:
        form = requests.post(f"{URL}/v1/predict", files={"file": file}, timeout=60)
    data_url = "data:image/png;base64," + base64.b64encode(PICTURE.read_bytes()).decode()
    document = requests.post(f"{URL}/v1/predict", json={"image": data_url}, timeout=60)
    assert [answer.json()["pred"] for answer in (form, document)] == [latex, latex]


def test_an_address_of_the_host_is_refused():
    answer = requests.get(f"{URL}/v1/predict", params={"image_url": "http://127.0.0.1/picture.png"}, timeout=30)
    assert (answer.status_code, answer.json()["code"]) == (422, "url_refused")


def test_what_is_no_picture_is_a_problem():
    answer = requests.post(f"{URL}/v1/predict", files={"file": b"not a picture"}, timeout=30)
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "unreadable_image"


def test_the_server_is_the_first_process_and_not_root(facts):
    assert facts["Config"]["User"] == "10001"
    assert "serve" in inside("cat", "/proc/1/cmdline").stdout.split("\0")
    uids = inside("grep", "^Uid:", "/proc/1/status").stdout.split()[1:]
    assert uids == ["10001"] * 4


def test_it_runs_on_a_read_only_file_system_and_writes_nothing(facts):
    assert facts["HostConfig"]["ReadonlyRootfs"]
    assert inside("touch", "/opt/im2latex/x").returncode != 0
    assert docker("diff", os.environ["CONTAINER"]) == ""
    assert inside("ls", "-A", "/tmp").stdout == ""


@pytest.mark.parametrize("name", TRAINING_ONLY)
def test_nothing_of_training_is_in_it(name):
    code = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({name!r}) is not None)"
    assert inside("python", "-c", code).returncode == 0


def test_pytorch_is_the_cpu_build():
    assert inside("python", "-c", "import torch.version; print(torch.version.cuda)").stdout == "None\n"


def test_it_says_what_it_is(facts):
    labels = facts["Config"]["Labels"]
    assert labels["org.opencontainers.image.title"] == "im2latex"
    assert labels["org.opencontainers.image.licenses"] == "MIT"


def test_the_engine_finds_it_healthy():
    for _ in range(60):
        status = docker("inspect", "--format", "{{.State.Health.Status}}", os.environ["CONTAINER"])
        if status != "starting":
            break
        time.sleep(1)
    assert status == "healthy"
