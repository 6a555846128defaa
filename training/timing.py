"""What every timing here rests on: a clock, percentiles, the memory of this process, a reading split into parts."""

import resource
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from tqdm import tqdm

from im2latex.decoding.draft import join
from im2latex.images import open_image, prepare
from im2latex.predictor import Predictor
from im2latex.tokenizer import BOS, EOS

Clock = Literal["wall", "cpu"]
CLOCKS: dict[Clock, Callable[[], float]] = {"wall": time.perf_counter, "cpu": time.process_time}
"""Seconds: those on the wall, or those that this process spent on all cores, for a machine that has other work."""
PARTS = ("preparation", "encoder", "guesses", "decoder", "grammar mask")
"""Where tokens are guessed ahead, the decoder is what verifies them, its grammar mask included."""


class Stopwatch:
    """Adds up the seconds of named parts."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.seconds: dict[str, float] = {}
        self._last = now()

    def start(self) -> None:
        """Forget the time since the last note."""
        self._last = self.now()

    def note(self, part: str) -> None:
        """Give the time since the last note to a part."""
        now = self.now()
        self.seconds[part] = self.seconds.get(part, 0.0) + now - self._last
        self._last = now


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that `percent` of all values do not exceed (nearest rank)."""
    ordered = sorted(values)
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(0, int(rank) - 1)]


def bar(items: Sequence[Any], title: str) -> "tqdm[Any]":
    """The items, with a bar of the time left; where nobody watches, a line in two minutes."""
    return tqdm(items, desc=title, leave=False, mininterval=0.5 if sys.stderr.isatty() else 120)


def peak_megabytes() -> float:
    """The most memory that this process held at a time."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 1024  # bytes there, kilobytes elsewhere


def split_reading(predictor: Predictor, picture: bytes, watch: Stopwatch) -> None:
    """Read a picture greedily as the predictor does, each part by itself, and note the seconds of PARTS."""
    decoder: Any = predictor.bundle.decoder
    spec = predictor.bundle.spec
    watch.start()
    images = prepare(open_image(picture, spec.max_pixels), spec).unsqueeze(0)
    watch.note("preparation")
    if predictor.draft is not None:
        join(predictor.draft.read(_Noted(decoder, watch), images))
        return
    memory = decoder.model.encode(images)
    watch.note("encoder")
    state = decoder.model.start(memory)
    watch.note("decoder")
    position = decoder.mask.start(1, decoder.max_tokens)
    written = torch.tensor([[BOS]])
    while written.shape[1] <= decoder.max_tokens and int(written[0, -1]) != EOS:
        position, state, newest = _read_token(decoder, written, position, state, watch)
        written = torch.cat([written, newest.unsqueeze(1)], dim=1)


class _Noted:
    """A decoder that verifies guesses, and notes when; of the guesses, for how long it waited for them."""

    def __init__(self, decoder: Any, watch: Stopwatch) -> None:
        self.decoder, self.watch, self.max_tokens = decoder, watch, decoder.max_tokens

    def begin(self, images: Tensor) -> list[Tensor]:
        self.watch.start()
        reading: list[Tensor] = self.decoder.begin(images)
        self.watch.note("encoder")
        return reading

    def verify(self, guessed: Tensor, written: Tensor, reading: list[Tensor]) -> Any:
        self.watch.note("guesses")
        found = self.decoder.verify(guessed, written, reading)
        self.watch.note("decoder")
        return found


def _read_token(
    decoder: Any, written: Tensor, position: list[Tensor], state: list[Tensor], watch: Stopwatch
) -> tuple[list[Tensor], list[Tensor], Tensor]:
    if written.shape[1] % decoder.check_every == 0:
        watch.start()
        position = decoder.mask.end_runaways(position, written)
        watch.note("grammar mask")
    watch.start()
    logits, state = decoder.model.step(written[:, -1], state)
    watch.note("decoder")
    forbidden = decoder.mask.forbidden(position)
    watch.note("grammar mask")
    newest = logits.float().log_softmax(-1).masked_fill(forbidden, decoder.impossible).argmax(-1)
    watch.start()
    position = decoder.mask.advance(position, newest)
    watch.note("grammar mask")
    return position, state, newest
