"""Predictor: pictures in, LaTeX with its confidence out; what the command and the server run."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp
from pathlib import Path

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from im2latex.bundle import Bundle, load_bundle
from im2latex.errors import ImageError
from im2latex.images import open_image, prepare
from im2latex.latex.output import to_latex
from im2latex.tokenizer import EOS, PAD, UNK

DEFAULT_BUNDLE = "default.pt"
"""The file in im2latex/bundles that ships."""

MAX_BATCH_PIXELS = 2**20
"""Prepared pictures run together up to this many pixels: some 80 of the median size."""

ImageSource = bytes | str | Path | Image.Image


@dataclass(frozen=True)
class Prediction:
    """What was read in one picture."""

    latex: str
    """As a person writes it."""
    tokens: str
    """The canonical tokens, separated by single spaces."""
    confidence: float
    """Geometric mean of the model's probabilities for its tokens and the end, 0..1. It orders predictions well; it
    is not the probability that the whole formula is right, which is lower the longer the formula is."""
    token_confidences: list[float]
    """The model's probability of each token, given those before it."""


def bundled_model() -> Path:
    """Where the model that ships with the library lies."""
    return Path(__file__).parent / "bundles" / DEFAULT_BUNDLE


class Predictor:
    """A loaded model. `predict` and `predict_batch` keep no state: threads may share one predictor."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle

    @classmethod
    def load(cls, path: str | Path | None = None) -> "Predictor":
        """Load a bundle, by default the one that ships; raises BundleError when there is none."""
        return cls(load_bundle(bundled_model() if path is None else path))

    @property
    def name(self) -> str:
        """What the model calls itself in its facts."""
        return str(self.bundle.facts.get("name", "unnamed"))

    def predict(self, image: ImageSource, beam: int = 1) -> Prediction:
        """Read one picture: a PIL image, the bytes of a file, or its path. Raises ImageError."""
        return self.predict_batch([image], beam)[0]

    def predict_batch(self, images: Sequence[ImageSource], beam: int = 1) -> list[Prediction]:
        """Read pictures, in order; a prediction does not depend on the pictures beside it.

        Raises ImageError for the first picture that cannot be read, naming its place when there are several.
        """
        prepared = [self._prepare(image, place, len(images)) for place, image in enumerate(images)]
        return self.predict_prepared(prepared, beam)

    def predict_prepared(self, images: Sequence[Tensor], beam: int = 1) -> list[Prediction]:
        """Read what `im2latex.images.prepare` made, (1, H, W) each; those of one size run together, unpadded."""
        places_of_size: dict[torch.Size, list[int]] = defaultdict(list)
        for place, image in enumerate(images):
            places_of_size[image.shape].append(place)
        predictions: dict[int, Prediction] = {}
        for size, places in places_of_size.items():
            batch_size = max(1, MAX_BATCH_PIXELS // size.numel())
            for start in range(0, len(places), batch_size):
                batch = places[start : start + batch_size]
                predictions.update(zip(batch, self._read([images[place] for place in batch], beam), strict=True))
        return [predictions[place] for place in range(len(images))]

    def warm_up(self) -> None:
        """Read a small picture three times: the first calls of a scripted model are many times slower."""
        image = Image.new("L", (96, 32), 255)
        ImageDraw.Draw(image).text((8, 8), "x + 1", fill=0)
        for _ in range(3):
            self.predict(image)

    def _prepare(self, source: ImageSource, place: int, count: int) -> Tensor:
        try:
            return prepare(open_image(source, self.bundle.spec.max_pixels), self.bundle.spec)
        except ImageError as error:
            if count == 1:
                raise
            raise ImageError(f"picture {place + 1} of {count}: {error}") from error

    def _read(self, images: list[Tensor], beam: int) -> list[Prediction]:
        with torch.inference_mode():
            token_ids, log_probs = self.bundle.decoder(torch.stack(images), beam)  # (B, T), (B, T)
        rows = zip(token_ids.tolist(), log_probs.tolist(), strict=True)
        return [self._to_prediction(ids, logs) for ids, logs in rows]

    def _to_prediction(self, token_ids: list[int], log_probs: list[float]) -> Prediction:
        """One row of the decoder's answer: ids up to EOS or PAD, and the log-probability of each."""
        end = next((place for place, token_id in enumerate(token_ids) if token_id in (EOS, PAD)), len(token_ids))
        chosen = log_probs[: end + 1] if token_ids[end : end + 1] == [EOS] else log_probs[:end]
        tokens = self.bundle.tokenizer.decode(token_ids)
        return Prediction(
            latex=to_latex(tokens.split()),
            tokens=tokens,
            confidence=exp(sum(chosen) / len(chosen)) if chosen else 0.0,
            token_confidences=[
                exp(log_prob) for token_id, log_prob in zip(token_ids[:end], log_probs, strict=False) if token_id > UNK
            ],
        )
