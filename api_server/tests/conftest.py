"""A real server process with a small bundle, for the tests that talk to one."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from api_server.tests.bundles import make_bundle
from api_server.tests.fakes import picture

START_SECONDS = 300
"""Long, for a machine that runs other tests beside this one."""


def free_port() -> int:
    """A port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server, started by the command as a user would; loopback pictures are allowed."""
    folder = tmp_path_factory.mktemp("server")
    port = free_port()
    log = folder / "log.txt"
    command = [sys.executable, "-m", "im2latex.cli", "serve", "--port", str(port)]
    command += ["--bundle", str(make_bundle(folder / "constant.pt"))]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "IM2LATEX_ALLOW_PRIVATE_ADDRESSES": "yes"}
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(process, address, log)
        yield address
    finally:
        process.terminate()
        code = process.wait(60)
    assert code == 0, "SIGTERM drains and ends well"


def wait_until_ready(process: "subprocess.Popen[bytes]", address: str, log: Path) -> None:
    """Ask /readyz until it answers 200; fails with the server's log."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if requests.get(f"{address}/readyz", timeout=5).status_code == 200:
                return
        except requests.ConnectionError:
            time.sleep(0.2)
    pytest.fail(f"the server did not start:\n{log.read_text()}")


@pytest.fixture
def picture_url() -> Iterator[str]:
    """The address of a picture on another server."""

    class Pictures(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(picture())

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Pictures) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{other.server_address[1]}/formula.png"
        other.shutdown()


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium, for the tests of one file."""
    from api_server.tests.browser import running_chromium  # needs a library that only these tests use

    with running_chromium() as browser:
        yield browser
