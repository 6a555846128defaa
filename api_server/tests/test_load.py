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


def test_a_connection_closed_while_idle_is_opened_again(pictures):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer_and_hang_up():
            for _ in range(2):
                connection, _ = listener.accept()
                connection.recv(10**6)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                connection.close()

        async def ask_twice():
            client = SCRIPT["Client"](listener.getsockname()[1])
            first = await client.ask(b"GET / HTTP/1.1\r\n\r\n")
            while not client.reader.at_eof():
                await asyncio.sleep(0.01)
            return first[0], (await client.ask(b"GET / HTTP/1.1\r\n\r\n"))[0]

        thread = threading.Thread(target=answer_and_hang_up)
        thread.start()
        assert asyncio.run(ask_twice()) == (200, 200)
        thread.join()


def test_percentiles_are_in_milliseconds():
    assert SCRIPT["percentiles"]([number / 1000 for number in range(101)]) == {"p50": 50.0, "p95": 95.0, "p99": 99.0}
