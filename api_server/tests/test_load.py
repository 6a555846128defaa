"""The script that loads a server counts what it is told: answers, refusals, and requests that were lost."""

import asyncio
import runpy
import socket
import threading
from pathlib import Path

import pytest

from api_server.settings import Settings
from api_server.tests.fakes import FakePredictor
from api_server.tests.running import running

SCRIPT = runpy.run_path(str(Path(__file__).parents[2] / "tasks/load_test.py"))
LOST, REFUSED = SCRIPT["LOST"], SCRIPT["REFUSED"]


@pytest.fixture(scope="module")
def pictures():
    return SCRIPT["load_requests"]()


def ask(port, request):
    return asyncio.run(SCRIPT["Client"](port).ask(request))[0]


def test_many_clients_are_all_counted(pictures):
    left = iter(range(60))
    predictor = FakePredictor()
    with running(Settings(), predictor) as server:
        answers, _ = asyncio.run(SCRIPT["load"](server, pictures, 4, lambda: next(left, None) is not None))
    assert answers.summary(1.0)["statuses"] == {200: 60}
    assert sum(map(len, predictor.batches)) == 60


def test_a_full_house_is_counted_as_busy(pictures):
    with running(Settings(max_queue=0)) as server:
        assert ask(server.port, pictures[0]) == 503


def test_a_closed_door_is_told_from_a_lost_request(pictures):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def hang_up():
            connection, _ = listener.accept()
            connection.recv(10)
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        assert ask(port, pictures[0]) == LOST
        thread.join()
    assert ask(port, pictures[0]) == REFUSED


def test_percentiles_are_in_milliseconds():
    assert SCRIPT["percentiles"]([number / 1000 for number in range(101)]) == {"p50": 50.0, "p95": 95.0, "p99": 99.0}
