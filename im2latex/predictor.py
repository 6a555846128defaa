"""Predictor: pictures in, LaTeX with its confidence out; what the command and the server run."""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from math import inf
from pathlib import Path
from statistics import fmean
from typing import Any, Self, TypeVar

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from im2latex.batches import MAX_BATCH_PIXELS, batches_of_one_size, share_out, stack_sizes
from im2latex.bundle import Bundle, load_bundle
from im2latex.calibration import Uncalibrated
from im2latex.cores import on_each_core, one_thread, running
from im2latex.decoding.draft import CHUNK, FIRST, Draft, Portion, join, read_by_token
from im2latex.decoding.repetition import leave_circles, written
from im2latex.errors import BundleError, ImageError
from im2latex.explanation import Attention, Explanation, Map
from im2latex.images import open_image, prepare_scales
from im2latex.latex.output import to_latex, without_lone_array
from im2latex.prediction import Prediction, ReadToken
from im2latex.second_look import Read, Scales, look_again
from im2latex.shipped import find_model
from im2latex.tokenizer import EOS, PAD, UNK

__all__ = ["ImageSource", "Prediction", "Predictor", "ReadToken"]

NO_FORMULA = -1e8
"""A hypothesis less probable than this only fills a beam that is wider than there are formulas."""

DRAFTED = 4
"""So few pictures are read one after the other, with guesses: sooner than together."""

ATTENTION_PIXELS = MAX_BATCH_PIXELS // 4
"""So many are explained together: attention takes tokens times cells, for every head."""

R = TypeVar("R")
ImageSource = bytes | str | Path | Image.Image


class Predictor:
    """A loaded model. `predict` and `predict_batch` keep no state: threads may share one predictor."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.confidence = bundle.calibration or Uncalibrated()
        self.draft = Draft(bundle.draft) if bundle.draft else None

    @classmethod
    def load(cls, path: str | Path | None = None) -> Self:
        """Load a bundle, by its path or the name of one that ships, by default `default`; raises BundleError."""
        return cls(load_bundle(find_model(path)))

    @property
    def name(self) -> str:
        """What the model calls itself in its facts."""
        return str(self.bundle.facts.get("name", "unnamed"))

    def predict(self, image: ImageSource, beam: int = 1, alternatives: int = 0) -> Prediction:
        """Read one picture: a PIL image, the bytes of a file, or its path. Raises ImageError.

        What was read in circles without a beam gets one. Alternatives come from the beam, which is made wide enough.
        """
        return self.predict_batch([image], beam, alternatives)[0]

    def predict_batch(self, images: Sequence[ImageSource], beam: int = 1, alternatives: int = 0) -> list[Prediction]:
        """Read pictures, in order; a prediction does not depend on the pictures beside it.

        Raises ImageError for the first picture that cannot be read, naming its place when there are several.
        """
        return [prediction for _, prediction in self.predict_scales(self.prepare(images), beam, alternatives)]

    def prepare(self, images: Sequence[ImageSource]) -> list[Scales]:
        """What the model sees of each picture; ImageError as `predict_batch` raises it."""
        return [self._prepare(image, place, len(images)) for place, image in enumerate(images)]

    def predict_scales(self, pictures: Sequence[Scales], beam: int = 1, alternatives: int = 0) -> list[Read]:
        """Read what `prepare` made, each in its likeliest scale, and one that leaves doubts in its others, too."""
        found = self.predict_prepared([scales[0].image for scales in pictures], beam, alternatives)
        predict = partial(self.predict_prepared, beam=beam, alternatives=alternatives, leaves_circles=False)
        return look_again(pictures, found, predict)

    def predict_prepared(
        self, images: Sequence[Tensor], beam: int = 1, alternatives: int = 0, leaves_circles: bool = True
    ) -> list[Prediction]:
        """Read what `im2latex.images.prepare` made, (1, H, W) each; those of like sizes run together.

        What was read in circles without a beam gets one, which takes seconds, if `leaves_circles`.
        """
        return self.in_batches(images, lambda sizes: self._read(sizes, beam, alternatives, leaves_circles), beam)

    def in_batches(self, images: Sequence[Tensor], read: Callable[[list[Tensor]], list[R]], beam: int = 1) -> list[R]:
        """What `read` gives of prepared images, in order; it is handed batches, (B, 1, H, W) of each size, as `decode`.

        Every core reads batches of its own, on as many cores as `torch.get_num_threads()` says; they share one picture.
        """
        batches = list(self.batches(images, beam))
        found = on_each_core(lambda places: read(stack_sizes([images[place] for place in places])), batches)
        by_place = dict(zip(chain(*batches), chain(*found), strict=True))
        return [by_place[place] for place in range(len(images))]

    def batches(self, images: Sequence[Tensor], beam: int = 1) -> Iterator[list[int]]:
        """The places of prepared images that `predict_prepared` reads together: enough batches for all cores."""
        return share_out(images, torch.get_num_threads(), beam, self._mixes_sizes)

    def decode(self, sizes: list[Tensor], beam: int = 1) -> list[Portion]:
        """Token ids and log-probabilities, with EOS and PAD, of images that run together: (B, 1, H, W) of each size."""
        if self.draft is not None and beam <= 1 and sum(map(len, sizes)) <= DRAFTED:
            return [join(self._portions(image.unsqueeze(0))) for images in sizes for image in images]
        decoder: Any = self.bundle.decoder
        read, images = (decoder.read_all, sizes) if self._mixes_sizes else (decoder, sizes[0])
        with running(), one_thread():
            token_ids, log_probs = read(images, beam)  # (B, T), (B, T)
        return list(zip(token_ids.tolist(), log_probs.tolist(), strict=True))

    @property
    def can_explain(self) -> bool:
        """Whether the model can say where it looked; bundles that were exported by older versions cannot."""
        return hasattr(self.bundle.decoder, "attend")

    def explain(self, image: ImageSource, beam: int = 1) -> Explanation:
        """Read a picture and say where the model looked for each token; BundleError where `can_explain` is false."""
        upright = open_image(image, self.bundle.spec.max_pixels)
        ((prepared, prediction),) = self.predict_scales([prepare_scales(upright, self.bundle.spec)], beam)
        maps = self.attend([prepared.image], [prediction.tokens])[0]
        attention = Attention(maps, prepared.image, prepared.placement)
        return Explanation(upright, prediction, attention, attention.boxes())

    def attend(self, images: Sequence[Tensor], formulas: Sequence[str]) -> list[Map]:
        """Where the model looks in each prepared image for each token of its formula: maps (T, h, w), which sum to 1.

        Formulas are canonical tokens, as in `Prediction.tokens`: what was read, or what it might be instead.
        """
        self._check_can_explain()
        token_ids = [self.bundle.tokenizer.encode(formula.split()) for formula in formulas]
        decoder: Any = self.bundle.decoder
        maps: dict[int, Map] = {}
        for places in batches_of_one_size(images, ATTENTION_PIXELS):
            longest = max(1, *(len(token_ids[place]) for place in places))
            padded = torch.tensor([token_ids[place] + [PAD] * (longest - len(token_ids[place])) for place in places])
            with running():
                found = decoder.attend(torch.stack([images[place] for place in places]), padded)
            maps.update({place: row[: len(token_ids[place])].numpy() for place, row in zip(places, found, strict=True)})
        return [maps[place] for place in range(len(images))]

    def features(self, image: Tensor) -> Map:
        """What the encoder's convolutions make of a prepared image: maps (C, h, w); BundleError as `explain`."""
        self._check_can_explain()
        decoder: Any = self.bundle.decoder
        with running():
            maps: Map = decoder.features(image.unsqueeze(0))[0].numpy()
        return maps

    def _check_can_explain(self) -> None:
        if not self.can_explain:
            raise BundleError(f"the model {self.name} cannot say where it looked: export its bundle again")

    def stream(self, image: ImageSource) -> Generator[ReadToken, None, Prediction]:
        """Read one picture greedily: yield each token as soon as it is read, and return what `predict(image)` does.

        It differs from the tokens where those went round in circles, or another scale reads better.
        """
        return (yield from self.stream_scales(self._prepare(image, 0, 1)))[1]

    def stream_scales(self, scales: Scales) -> Generator[ReadToken, None, Read]:
        """As `stream`, of what `prepare` made."""
        portions: list[Portion] = []
        image = scales[0].image
        for ids, logs in self._portions(image.unsqueeze(0), FIRST):
            portions.append((ids, logs))
            for token_id, log_prob in zip(ids, logs, strict=True):
                if token_id > UNK:
                    yield ReadToken(self.bundle.tokenizer.vocab[token_id], self.confidence.of_token(log_prob))
        found = self._to_prediction(*leave_circles(self.bundle.decoder, image, join(portions)))
        return look_again([scales], [found], partial(Predictor.predict_prepared, self, leaves_circles=False))[0]

    def _portions(self, image: Tensor, first: int = CHUNK) -> Iterator[Portion]:
        """Token ids and log-probabilities of an image (1, 1, H, W), greedily, as soon as some are known."""
        decoder: Any = self.bundle.decoder
        portions = read_by_token(decoder, image) if self.draft is None else self.draft.read(decoder, image, first)
        while True:
            with running():  # not across a yield: the caller's own tensors are none of our business
                if (portion := next(portions, None)) is None:
                    return
            yield portion

    def warm_up(self) -> None:
        """Read a small picture: the first time takes longer than those after it."""
        image = Image.new("L", (96, 32), 255)
        ImageDraw.Draw(image).text((8, 8), "x + 1", fill=0)
        self.explain(image) if self.can_explain else self.predict(image)

    def _prepare(self, source: ImageSource, place: int, count: int) -> Scales:
        try:
            return prepare_scales(open_image(source, self.bundle.spec.max_pixels), self.bundle.spec)
        except ImageError as error:
            if count == 1:
                raise
            raise ImageError(f"picture {place + 1} of {count}: {error}") from error

    @property
    def _mixes_sizes(self) -> bool:
        """Whether pictures of several sizes may run together; bundles of older versions want one size at a time."""
        return hasattr(self.bundle.decoder, "read_all")

    def _read(self, sizes: list[Tensor], beam: int, alternatives: int, leaves_circles: bool) -> list[Prediction]:
        decoder: Any = self.bundle.decoder
        if not alternatives:
            readings = self.decode(sizes, beam)
            if beam <= 1 and leaves_circles:
                readings = [leave_circles(decoder, *each) for each in zip(chain(*sizes), readings, strict=True)]
            return [self._to_prediction(*reading) for reading in readings]
        with running(), one_thread():
            search, images = (decoder.search_all, sizes) if self._mixes_sizes else (decoder.search, sizes[0])
            token_ids, log_probs = search(images, max(beam, alternatives + 1))
        return [
            self._with_alternatives(ids, logs, alternatives)
            for ids, logs in zip(token_ids.tolist(), log_probs.tolist(), strict=True)
        ]

    def _with_alternatives(self, token_ids: list[list[int]], log_probs: list[list[float]], count: int) -> Prediction:
        """The hypotheses of one picture's beam, best first."""
        hypotheses = [
            self._to_prediction(ids, logs)
            for ids, logs in zip(token_ids, log_probs, strict=True)
            if sum(logs) > NO_FORMULA
        ]
        return replace(hypotheses[0], alternatives=hypotheses[1 : count + 1])

    def _to_prediction(self, token_ids: list[int], log_probs: list[float]) -> Prediction:
        """One row of the decoder's answer: ids up to EOS or PAD, and the log-probability of each."""
        end = len(written(token_ids))
        chosen = log_probs[: end + 1] if token_ids[end : end + 1] == [EOS] else log_probs[:end]
        tokens = self.bundle.tokenizer.decode(token_ids)
        return Prediction(
            latex=to_latex(without_lone_array(tokens.split())),
            tokens=tokens,
            confidence=self.confidence.of_formula(chosen),
            token_confidences=[
                self.confidence.of_token(log_prob)
                for token_id, log_prob in zip(token_ids[:end], log_probs, strict=False)
                if token_id > UNK
            ],
            mean_log_prob=fmean(chosen) if chosen else -inf,
        )
