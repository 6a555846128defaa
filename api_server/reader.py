"""One picture at a time through the model, on a worker thread and never on the event loop."""

import threading
import time
from typing import Protocol

from PIL import Image

from api_server.metrics import Metrics
from api_server.schemas import Reading, Token
from im2latex.images import open_image


class ReadFormula(Protocol):
    """What the server needs of a prediction."""

    @property
    def latex(self) -> str: ...
    @property
    def tokens(self) -> str: ...
    @property
    def confidence(self) -> float: ...
    @property
    def token_confidences(self) -> list[float]: ...


class ReadsFormulas(Protocol):
    """What the server needs of a predictor; im2latex.Predictor is one, tests hand in another."""

    @property
    def name(self) -> str: ...
    def warm_up(self) -> None: ...
    def predict(self, image: Image.Image) -> ReadFormula: ...


class Reader:
    """Reads pictures for all requests; the lock keeps the model to one picture at a time."""

    def __init__(self, predictor: ReadsFormulas, metrics: Metrics) -> None:
        self.predictor = predictor
        self.metrics = metrics
        self.lock = threading.Lock()

    def read(self, data: bytes) -> Reading:
        """Read the bytes of a picture; raises ImageError when it cannot be read."""
        image = open_image(data)
        with self.lock:
            started = time.perf_counter()
            found = self.predictor.predict(image)
            seconds = time.perf_counter() - started
        tokens = found.tokens.split()
        self.metrics.model_seconds.observe(seconds)
        self.metrics.tokens.inc(len(tokens))
        return Reading(
            pred=found.latex,
            confidence=found.confidence,
            tokens=[
                Token(token=token, confidence=confidence)
                for token, confidence in zip(tokens, found.token_confidences, strict=True)
            ],
            model=self.predictor.name,
            seconds=seconds,
        )
