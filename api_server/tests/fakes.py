"""A predictor without a model, pictures without files, and a client to ask the application."""

import io
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from fastapi.testclient import TestClient
from PIL import Image, ImageDraw
from torch import Tensor

from api_server.app import create_app
from api_server.schemas import Token
from api_server.settings import Settings
from im2latex.explanation import Map
from im2latex.images import ImageSpec, Prepared
from im2latex.second_look import Scales


@dataclass
class FakePrediction:
    """What the fake reads in every picture."""

    latex: str = "x_{1}"
    tokens: str = "x _ { 1 }"
    confidence: float = 0.5
    token_confidences: list[float] = field(default_factory=lambda: [0.9, 1.0, 1.0, 0.6, 1.0])
    alternatives: list["FakePrediction"] = field(default_factory=list)
    likeness: float | None = None


@dataclass
class FakeBundle:
    """How pictures are prepared for the fake."""

    spec: ImageSpec = field(default_factory=ImageSpec)


class FakePredictor:
    """Reads x_{1} in every picture; remembers its batches, a list of heights and widths each."""

    name = "fake"

    def __init__(self, failure: Exception | None = None, is_slow: bool = False) -> None:
        """A slow one starts its batches, but ends them only after `go_on.set()`."""
        self.bundle = FakeBundle()
        self.batches: list[list[tuple[int, int]]] = []
        self.beams: list[int] = []
        self.told: list[str] = []
        self.failure = failure
        self.is_warm = False
        self.has_begun = threading.Event()
        self.go_on = threading.Event()
        if not is_slow:
            self.go_on.set()

    def warm_up(self) -> None:
        self.is_warm = True

    def predict_scales(
        self, pictures: Sequence[Scales], beam: int = 1, alternatives: int = 0
    ) -> list[tuple[Prepared, FakePrediction]]:
        self.batches.append([(scales[0].image.shape[1], scales[0].image.shape[2]) for scales in pictures])
        self.beams.append(beam)
        self.has_begun.set()
        assert self.go_on.wait(60)
        if self.failure is not None:
            raise self.failure
        others = [FakePrediction(f"x_{{{place}}}", confidence=0.5 / place) for place in range(2, 2 + alternatives)]
        return [(scales[0], FakePrediction(alternatives=others)) for scales in pictures]

    can_explain = True

    def attend(self, images: Sequence[Tensor], formulas: Sequence[str]) -> list[Map]:
        """Every token was read in the upper left."""
        maps = []
        for image, formula in zip(images, formulas, strict=True):
            one = np.zeros((len(formula.split()), image.shape[1] // 8, image.shape[2] // 8), dtype=np.float32)
            one[:, 0, 0] = 1.0
            maps.append(one)
        return maps

    def stream_scales(self, scales: Scales) -> Generator[Token, None, tuple[Prepared, FakePrediction]]:
        if self.failure is not None:
            raise self.failure
        found = FakePrediction()
        for token, confidence in zip(found.tokens.split(), found.token_confidences, strict=True):
            self.told.append(token)
            yield Token(token=token, confidence=confidence)
            self.has_begun.set()
            assert self.go_on.wait(60)
        return scales[0], found


def picture(kind: str = "PNG", mode: str = "L", size: tuple[int, int] = (60, 30)) -> bytes:
    """A small picture with ink in it, as a file's bytes."""
    image = Image.new("L", size, 255)
    ImageDraw.Draw(image).rectangle((10, 10, 40, 20), fill=0)
    buffer = io.BytesIO()
    image.convert(mode).save(buffer, kind)
    return buffer.getvalue()


@contextmanager
def serving(settings: Settings | None = None, predictor: FakePredictor | None = None) -> Iterator[TestClient]:
    """A client of an application that has started."""
    app = create_app(settings or Settings(), predictor or FakePredictor())
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client
