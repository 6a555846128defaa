#!/usr/bin/env python
"""Load a real server process, and print what it bears: `python tasks/load_test.py --help`."""

import argparse
import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from statistics import quantiles
from zipfile import ZipFile

import pyarrow.parquet as pq

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "im2latex/data/small/test"
BOUNDARY = b"b0undary"
REFUSED, LOST = -1, -2  # no connection, since the door was closed; a request that was sent and never answered


@dataclass
class Answers:
    """Seconds of every answer, by status."""

    seconds: dict[int, list[float]] = field(default_factory=dict)

    def add(self, status: int, seconds: float) -> None:
        """Note one answer."""
        self.seconds.setdefault(status, []).append(seconds)

    def summary(self, duration: float) -> dict[str, object]:
        """Formulas a second, milliseconds of those that were read and of those refused, and how many of each status."""
        read = self.seconds.get(200, [])
        return {
            "read_per_s": round(len(read) / duration, 1),
            "read_ms": percentiles(read),
            "busy_ms": percentiles(self.seconds.get(503, [])),
            "statuses": {status: len(times) for status, times in self.seconds.items()},
        }


def percentiles(seconds: list[float]) -> dict[str, float]:
    """p50, p95 and p99 in milliseconds."""
    if len(seconds) < 2:
        return {}
    cuts = quantiles(seconds, n=100, method="inclusive")
    return {name: round(1000 * cuts[place - 1], 1) for name, place in (("p50", 50), ("p95", 95), ("p99", 99))}


def load_requests(archive: str | None = None) -> list[bytes]:
    """A whole HTTP request for every picture of the small set, or for every PNG in a zip."""
    if archive is None:
        shards = sorted(PICTURES.glob("*.parquet"))
        files = [data for path in shards for data in pq.read_table(path, columns=["image"])["image"].to_pylist()]
    else:
        with ZipFile(archive) as pictures:
            files = [pictures.read(name) for name in pictures.namelist() if name.endswith(".png")]
    requests = []
    for data in files:
        disposition = b'Content-Disposition: form-data; name="file"; filename="a.png"'
        body = b"--%s\r\n%s\r\n\r\n%s\r\n--%s--\r\n" % (BOUNDARY, disposition, data, BOUNDARY)
        head = b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n" % len(body)
        requests.append(head + b"Content-Type: multipart/form-data; boundary=%s\r\n\r\n" % BOUNDARY + body)
    return requests


class Server:
    """A server process on some cores, with the model that ships."""

    def __init__(self, cores: int) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
        self.log = tempfile.NamedTemporaryFile(suffix=".log")  # noqa: SIM115  (lives as long as the server)
        command = [sys.executable, "-m", "im2latex.cli", "serve", "--port", str(self.port)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=self.log, stderr=self.log)
        os.sched_setaffinity(self.process.pid, sorted(os.sched_getaffinity(0))[:cores])

    def is_ready(self) -> bool:
        """What /readyz says."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def wait_until_ready(self) -> None:
        """Return once the model is warm."""
        while not self.is_ready():
            if self.process.poll() is not None:
                sys.exit(f"the server did not start:\n{Path(self.log.name).read_text()}")
            time.sleep(0.2)

    def megabytes(self, kind: str = "VmRSS") -> int:
        """Resident memory of the process, or the most there was of it (VmHWM)."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith(kind)).split()[1]) // 1024

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        self.process.terminate()
        return self.process.wait(120)


class Client:
    """One connection, opened again when the server closes it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.writer: asyncio.StreamWriter | None = None

    async def ask(self, request: bytes) -> tuple[int, float]:
        """Send a request; returns the status, REFUSED or LOST, and the seconds it took."""
        started = time.perf_counter()
        try:
            if self.writer is None or self.reader.at_eof():    # an idle connection was closed: nothing is lost by that
                self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return REFUSED, time.perf_counter() - started
        try:
            self.writer.write(request)
            head = (await self.reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
            await self.reader.readexactly(length)
        except (OSError, asyncio.IncompleteReadError):
            self.close()
            return LOST, time.perf_counter() - started
        if b"connection: close" in head:
            self.close()
        return int(head[9:12]), time.perf_counter() - started

    def close(self) -> None:
        """Leave the connection."""
        if self.writer is not None:
            self.writer.close()
        self.writer = None


async def load(
    server: Server, requests: list[bytes], clients: int, go_on: Callable[[], bool], pace: float = 0.0
) -> tuple[Answers, float]:
    """Ask from many clients while `go_on()`; `pace`: requests a second of all together, 0 for as many as possible."""
    answers, numbers, started = Answers(), count(), time.perf_counter()

    async def ask_on() -> None:
        client = Client(server.port)
        while go_on():
            number = next(numbers)
            if pace:
                await asyncio.sleep(max(0.0, started + number / pace - time.perf_counter()))
            answers.add(*await client.ask(requests[number % len(requests)]))
        client.close()

    await asyncio.gather(*(ask_on() for _ in range(clients)))
    return answers, time.perf_counter() - started


def for_seconds(seconds: float) -> Callable[[], bool]:
    """Whether the time is not yet over."""
    end = time.perf_counter() + seconds
    return lambda: time.perf_counter() < end


async def measure_throughput(server: Server, requests: list[bytes], arguments: argparse.Namespace) -> dict[str, object]:
    """Formulas a second and latencies, each client asking again as soon as it is answered."""
    table: dict[str, object] = {}
    for clients in arguments.clients:
        answers, duration = await load(server, requests, clients, for_seconds(arguments.seconds))
        table[f"{clients} clients"] = answers.summary(duration)
    return table


async def measure_overload(server: Server, requests: list[bytes], arguments: argparse.Namespace) -> dict[str, object]:
    """Full load first, then ten times what was read then, at an even pace."""
    full, duration = await load(server, requests, 32, for_seconds(arguments.seconds))
    pace = 10 * len(full.seconds.get(200, [])) / duration
    over, over_duration = await load(server, requests, 320, for_seconds(arguments.overload_seconds), pace)
    offered = sum(map(len, over.seconds.values())) / over_duration
    wanted = {"wanted_per_s": round(pace, 1), "offered_per_s": round(offered, 1)}
    return {"full load": full.summary(duration), "ten times": {**wanted, **over.summary(over_duration)}}


async def measure_memory(server: Server, requests: list[bytes], arguments: argparse.Namespace) -> dict[str, object]:
    """Resident memory after a tenth of the requests of 8 clients, after all of them, and the most there was."""
    tenth, found = arguments.requests // 10, dict[str, object](requests=arguments.requests)
    for name, number in (("after_a_tenth_mb", tenth), ("at_the_end_mb", arguments.requests - tenth)):
        left = count(1)
        await load(server, requests, 8, lambda left=left, number=number: next(left) <= number)  # type: ignore[misc]
        found[name] = server.megabytes()
    return {**found, "peak_mb": server.megabytes("VmHWM")}


async def measure_stop(server: Server, requests: list[bytes], arguments: argparse.Namespace) -> dict[str, object]:
    """SIGTERM under load; clients stop when /readyz says no, as behind a load balancer. None may be LOST."""
    is_open = True

    async def watch() -> None:
        nonlocal is_open
        await asyncio.sleep(min(5.0, arguments.seconds))
        server.process.send_signal(signal.SIGTERM)
        while await asyncio.to_thread(server.is_ready):
            await asyncio.sleep(0.05)
        is_open = False

    (answers, duration), _ = await asyncio.gather(load(server, requests, 16, lambda: is_open), watch())
    statuses = answers.summary(duration)["statuses"]
    lost = len(answers.seconds.get(LOST, [])) + len(answers.seconds.get(REFUSED, []))
    return {"statuses": statuses, "lost": lost, "exit_code": await asyncio.to_thread(server.process.wait, 120)}


PARTS: dict[str, Callable[[Server, list[bytes], argparse.Namespace], Awaitable[dict[str, object]]]] = {
    "throughput": measure_throughput,
    "overload": measure_overload,
    "memory": measure_memory,
    "stop": measure_stop,
}


def main() -> None:
    """Measure each part with a fresh server; print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--cores", type=int, default=2, help="cores of the server")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--seconds", type=float, default=20, help="for each number of clients")
    parser.add_argument("--overload-seconds", type=float, default=60)
    parser.add_argument("--requests", type=int, default=20_000, help="for the memory")
    parser.add_argument("--pictures", metavar="ZIP", help="ask with its PNGs instead of the small set's pictures")
    arguments = parser.parse_args()
    requests = load_requests(arguments.pictures)
    for name in arguments.parts:
        server = Server(arguments.cores)
        try:
            server.wait_until_ready()
            found = asyncio.run(PARTS[name](server, requests, arguments))
            print(json.dumps({name: found}, indent=2), flush=True)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
