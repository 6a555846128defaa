"""Nodes of a Ray cluster for tests, started as an operator would, that tell nobody of it and may start slowly."""

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

AGENTS = ("metrics-export", "dashboard-agent-listen", "dashboard-agent-grpc", "runtime-env-agent")
"""Parts of a node whose ports it waits for, no longer than 15 s, unless they are given."""


def private_environment() -> dict[str, str]:
    """Nodes and drivers know each other by a token; nothing is written into the home of whoever runs the tests.

    Python may keep what it compiles: Ray starts a dozen processes at once, and gives up on those that are slow.
    """
    own = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(), "RAY_USAGE_STATS_ENABLED": "0"}
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**inherited, **own, "RAY_worker_register_timeout_seconds": "600", "OMP_NUM_THREADS": "1"}


@contextmanager
def start_cluster(environment: dict[str, str], logs: Path, cores: list[int]) -> Iterator[str]:
    """A head, and workers that are processes of their own, with so many cores each; yields the address."""
    with ExitStack() as nodes:
        address = f"127.0.0.1:{free_ports(1)[0]}"
        head = ("--head", f"--port={address.partition(':')[2]}", "--include-dashboard=false")
        nodes.enter_context(start_node(environment, logs / "0", cores[0], *head, "--node-ip-address=127.0.0.1"))
        for number, count in enumerate(cores[1:], 1):
            nodes.enter_context(start_node(environment, logs / str(number), count, f"--address={address}"))
        yield address


@contextmanager
def start_node(environment: dict[str, str], log: Path, cores: int, *flags: str) -> Iterator[None]:
    """A node that is up, until the end; started again where Ray gave up on it after its 30 s, on a busy machine."""
    command = [str(Path(sys.executable).with_name("ray")), "start", "--block", "--disable-usage-stats"]
    command += [f"--num-cpus={cores}", "--object-store-memory=100000000"]
    command += ["--min-worker-port=0", "--max-worker-port=0"]
    command += [f"--{agent}-port={port}" for agent, port in zip(AGENTS, free_ports(len(AGENTS)), strict=True)]
    for patience in (2, 1, 0):
        with log.open("w") as output:
            node = subprocess.Popen([*command, *flags], stdout=output, stderr=output, env=environment)
        try:
            while node.poll() is None and "Ray runtime started" not in log.read_text():
                time.sleep(0.2)
            if node.poll() is not None and patience and "timed out during startup" in log.read_text():
                continue
            assert node.poll() is None, log.read_text()
            yield
            return
        finally:
            node.terminate()
            node.wait(120)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens at."""
    with ExitStack() as listeners:
        found = [listeners.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [int(listener.getsockname()[1]) for listener in found]


def find_processes(*words: str) -> list[int]:
    """Ray's processes whose name holds all these words."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = file.read_text(errors="replace")
        except OSError:
            continue  # it has ended meanwhile
        if line.startswith("ray::") and all(word in line for word in words):
            found.append(int(file.parent.name))
    return found
