#!/usr/bin/env python
"""How many requests a second do N replicas hold, at which p99? A simulation: `python tasks/queueing.py --help`.

Requests come at random (Poisson), each goes to a replica, and waits there in a bounded queue for its turn; one that
finds the queue full is refused (503). A replica reads one picture after the other, at `--rate` formulas a second while
it is busy: what `python tasks/load_test.py --parts throughput` prints as read_per_s.
"""

import argparse
import heapq
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

CHOICES = {"random": 1, "two choices": 2}
"""How a request finds a replica: any, as a Kubernetes Service does; or the shorter queue of two, as good proxies do."""


@dataclass(frozen=True)
class Replicas:
    """Some servers alike."""

    count: int
    rate: float
    """Formulas a second that one reads when it never waits."""
    spread: float = 0.6
    """Standard deviation of the time for one formula, against its mean: long formulas take longer."""
    queue: int = 32
    """Pictures at work or waiting in one; a request beyond that is refused."""
    looks_at: int = 1
    """Replicas among which a request chooses the shortest queue."""


@dataclass(frozen=True)
class Answers:
    """What became of the requests."""

    seconds: npt.NDArray[np.float64]
    """From arrival to answer, of those that were read."""
    refused: float
    """Share of all requests, 0..1."""

    def percentile(self, percent: float) -> float:
        """Seconds in which so many of the read ones were answered."""
        return float(np.percentile(self.seconds, percent))


def simulate(replicas: Replicas, requests_per_second: float, requests: int, seed: int = 0) -> Answers:
    """Send so many requests; the first tenth, while queues fill, does not count."""
    random = np.random.default_rng(seed)
    arrivals = np.cumsum(random.exponential(1 / requests_per_second, requests))
    variance = math.log(1 + replicas.spread**2)
    mean = -math.log(replicas.rate) - variance / 2
    service = random.lognormal(mean, math.sqrt(variance), requests)
    asked = random.integers(replicas.count, size=(requests, replicas.looks_at))
    leaving: list[list[float]] = [[] for _ in range(replicas.count)]    # when those inside will have been answered
    free = [0.0] * replicas.count
    seconds, refused = [], 0
    for number in range(requests):
        now = float(arrivals[number])
        for place in asked[number]:
            while leaving[place] and leaving[place][0] <= now:
                heapq.heappop(leaving[place])
        place = min(asked[number], key=lambda place: len(leaving[place]))
        counts = number >= requests // 10
        if len(leaving[place]) >= replicas.queue:
            refused += counts
            continue
        free[place] = max(free[place], now) + float(service[number])
        heapq.heappush(leaving[place], free[place])
        if counts:
            seconds.append(free[place] - now)
    return Answers(np.array(seconds), refused / (requests - requests // 10))


def most_requests(replicas: Replicas, p99: float, requests: int) -> float:
    """Requests a second that are held: p99 within so many seconds, and at most one in a thousand refused."""
    low, high = 0.0, replicas.count * replicas.rate
    for _ in range(8):
        middle = (low + high) / 2
        answers = simulate(replicas, middle, requests)
        is_held = answers.percentile(99) <= p99 and answers.refused <= 0.001
        low, high = (middle, high) if is_held else (low, middle)
    return low


def table(arguments: argparse.Namespace) -> str:
    """Markdown: replicas, and requests a second held by each way to choose a replica."""
    lines = [
        f"| replicas | {' | '.join(f'{name}: requests/s' for name in CHOICES)} |",
        f"|---|{'---|' * len(CHOICES)}",
    ]
    for count in arguments.replicas:
        held = []
        for looks_at in CHOICES.values():
            replicas = Replicas(count, arguments.rate, arguments.spread, arguments.queue, looks_at)
            requests_per_second = most_requests(replicas, arguments.p99, arguments.requests)
            share = 100 * requests_per_second / (count * arguments.rate)
            held.append(f"{requests_per_second:.1f} ({share:.0f} %)")
        lines.append(f"| {count} | {' | '.join(held)} |")
    return "\n".join(lines)


def plot(arguments: argparse.Namespace, path: Path) -> None:
    """p99 against the load, for each way to choose, of the largest number of replicas."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    count = max(arguments.replicas)
    loads = np.linspace(0.1, 1.1, 21)
    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    for name, looks_at in CHOICES.items():
        replicas = Replicas(count, arguments.rate, arguments.spread, arguments.queue, looks_at)
        runs = [simulate(replicas, load * count * arguments.rate, arguments.requests) for load in loads]
        axes.plot(100 * loads, [run.percentile(99) * arguments.rate for run in runs], label=f"p99, {name}")
        axes.plot(100 * loads, [run.percentile(50) * arguments.rate for run in runs], ":", label=f"median, {name}")
    axes.set(
        xlabel=f"load, % of what {count} replicas read when busy",
        ylabel="answer time, in times of one formula",
        ylim=(0, arguments.queue * 1.3),
    )
    axes.grid(alpha=0.3)
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Print the table and, where wanted, draw the plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=10.0, help="formulas a second of one replica")
    parser.add_argument("--spread", type=float, default=0.6, help="deviation of the time for one, against its mean")
    parser.add_argument("--queue", type=int, default=32, help="IM2LATEX_MAX_QUEUE")
    parser.add_argument("--p99", type=float, default=1.0, help="seconds in which 99 %% are to be answered")
    parser.add_argument("--replicas", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    parser.add_argument("--requests", type=int, default=20_000, help="simulated for each figure")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw p99 against the load")
    arguments = parser.parse_args()
    print(table(arguments))
    if arguments.plot:
        plot(arguments, arguments.plot)


if __name__ == "__main__":
    main()
