"""Promises of the server on Ray Serve: two replicas answer as one server; one that is killed costs its own requests."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from fastapi.testclient import TestClient
from pydantic import ValidationError

from api_server.app import create_app
from api_server.replicas import NAME, Replicas, build
from api_server.settings import Settings
from api_server.tests.bundles import make_bundle
from api_server.tests.conftest import free_port
from api_server.tests.fakes import picture
from im2latex.errors import ConfigError
from im2latex.tests.ray_nodes import find_processes, private_environment, start_cluster

pytestmark = pytest.mark.timeout(1500)  # a cluster starts many processes
CLIENTS = 4
START = """
import sys, ray
from ray import serve
from api_server.replicas import Replicas, build
ray.init(sys.argv[1], log_to_driver=False)
serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[2])})
serve.run(build(Replicas(min_replicas=2, max_replicas=2, cpus=0.5)), blocking=True)
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return make_bundle(tmp_path_factory.mktemp("replicas") / "constant.pt")


@pytest.fixture(scope="module")
def address(bundle, tmp_path_factory):
    """Two replicas on a cluster of this machine, deployed by a process of its own."""
    environment = {**private_environment(), "IM2LATEX_BUNDLE": str(bundle)}
    logs = tmp_path_factory.mktemp("replicas")
    address = f"http://127.0.0.1:{(port := free_port())}"
    with start_cluster(environment, logs, cores=[2]) as cluster, (logs / "serve").open("w") as output:
        command = [sys.executable, "-c", START, cluster, str(port)]
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
        try:
            wait_until_ready(process, address, logs / "serve")
            yield address
        finally:
            process.kill()  # its replicas end with the cluster
            process.wait()


def wait_until_ready(process, address, log):
    while True:
        assert process.poll() is None, log.read_text()[-3000:]
        try:
            if requests.get(f"{address}/readyz", timeout=60).status_code == 200 and len(replicas()) == 2:
                return
        except requests.ConnectionError:
            pass  # not yet
        time.sleep(0.5)


def replicas():
    """Processes that serve."""
    return find_processes("ServeReplica", NAME)


def test_two_replicas_answer_as_one_server(address, bundle):
    with TestClient(create_app(Settings(bundle=str(bundle))), raise_server_exceptions=False) as one:
        options = {"beam": 4, "alternatives": 2, "formats": "mathml"}
        for _ in range(4):  # of either replica, by chance
            two = requests.post(f"{address}/v1/predict", files={"file": picture()}, data=options, timeout=120)
            wanted = one.post("/v1/predict", files={"file": picture()}, data=options)
            assert (two.status_code, two.json()["pred"]) == (wanted.status_code, "x_{1}")
        for path, body in (("/v1/predict", b"no picture"), ("/v1/predict/nothing", b"")):
            two = requests.post(address + path, files={"file": body}, timeout=120)
            wanted = one.post(path, files={"file": body})
            assert (two.status_code, two.json().get("code")) == (wanted.status_code, wanted.json().get("code"))
        assert requests.get(f"{address}/openapi.json", timeout=120).json() == one.get("/openapi.json").json()
        assert requests.get(f"{address}/readyz", timeout=120).json() == {"status": "ready"}
    assert len(replicas()) == 2


def test_a_replica_killed_under_load_costs_no_more_than_its_own_requests(address):
    victim, statuses = replicas()[0], []

    def ask(_):
        try:
            answer = requests.post(f"{address}/v1/predict", files={"file": picture()}, timeout=120)
            statuses.append(answer.status_code)
        except requests.ConnectionError:
            statuses.append(0)

    with ThreadPoolExecutor(CLIENTS) as clients:
        answers = clients.map(ask, range(200))
        while len(statuses) < 40:
            time.sleep(0.01)
        os.kill(victim, signal.SIGKILL)
        list(answers)
    assert len(statuses) == 200
    assert statuses.count(200) >= 200 - CLIENTS, statuses
    deadline = time.monotonic() + 600
    while (victim in replicas() or len(replicas()) < 2) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert len(replicas()) == 2, "another took its place"


def test_queues_are_bounded_and_replicas_follow_the_load(monkeypatch):
    monkeypatch.setenv("IM2LATEX_MAX_QUEUE", "7")
    application = build(Replicas(min_replicas=2, max_replicas=9, target_requests=3, max_waiting=11))
    deployment = application._bound_deployment
    assert deployment.max_ongoing_requests == 7
    assert deployment.max_queued_requests == 11
    scaling = deployment._deployment_config.autoscaling_config
    assert (scaling.min_replicas, scaling.max_replicas, scaling.target_ongoing_requests) == (2, 9, 3)


def test_options_and_settings_that_mean_nothing_are_refused(monkeypatch):
    with pytest.raises(ValidationError):
        Replicas(replicas=3)
    monkeypatch.setenv("IM2LATEX_COLOUR", "red")
    with pytest.raises(ConfigError, match="IM2LATEX_COLOUR"):
        build(Replicas())
