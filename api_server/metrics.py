"""What the server counts about itself, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

LATENCIES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """The counters of one application; each application has a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = self.counter("requests", "Requests answered.", ["route", "status"])
        self.rejects = self.counter("rejects", "Requests refused, by the code of the problem.", ["reason"])
        self.tokens = self.counter("tokens", "LaTeX tokens written.")
        self.request_seconds = self.histogram(
            "request_seconds", "Seconds from the head of a request to the end of its answer.", LATENCIES, ["route"]
        )
        self.model_seconds = self.histogram("model_seconds", "Seconds the model took for a batch.", LATENCIES)
        self.batch_size = self.histogram("batch_size", "Pictures read together.", BATCH_SIZES)
        self.queue_depth = Gauge("im2latex_queue_depth", "Pictures at work or waiting.", registry=self.registry)

    def counter(self, name: str, meaning: str, labels: list[str] | None = None) -> Counter:
        """A counter of this registry."""
        return Counter(f"im2latex_{name}", meaning, labels or [], registry=self.registry)

    def histogram(
        self, name: str, meaning: str, buckets: tuple[float, ...], labels: list[str] | None = None
    ) -> Histogram:
        """A histogram of this registry."""
        return Histogram(f"im2latex_{name}", meaning, labels or [], buckets=buckets, registry=self.registry)

    def text(self) -> bytes:
        """All numbers in Prometheus' text format."""
        return generate_latest(self.registry)
