"""A predictor without a model, pictures without files, and a client to ask the application."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from fastapi.testclient import TestClient
from PIL import Image, ImageDraw

from api_server.app import create_app
from api_server.settings import Settings


@dataclass
class FakePrediction:
    """What the fake reads in every picture."""

    latex: str = "x_{1}"
    tokens: str = "x _ { 1 }"
    confidence: float = 0.5
    token_confidences: list[float] = field(default_factory=lambda: [0.9, 1.0, 1.0, 0.6, 1.0])


class FakePredictor:
    """Reads x_{1} in every picture and remembers their sizes, (width, height)."""

    name = "fake"

    def __init__(self, failure: Exception | None = None) -> None:
        self.sizes: list[tuple[int, int]] = []
        self.failure = failure
        self.is_warm = False

    def warm_up(self) -> None:
        self.is_warm = True

    def predict(self, image: Image.Image) -> FakePrediction:
        self.sizes.append(image.size)
        if self.failure is not None:
            raise self.failure
        return FakePrediction()


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
