"""One way of reading, measured in a process of its own: python -m training.benchmark_arm '{"form": "eager", ...}'

Prints one line of JSON. `training/benchmark.py` starts one such process for every way, so that threads and memory are
its own.
"""

import json
import sys
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from im2latex.bundle import Bundle, lay_out, load_bundle
from im2latex.cores import running
from im2latex.decoding import Decoder
from im2latex.images import open_image, prepare
from im2latex.latex.grammar import Grammar
from im2latex.models import read_model
from im2latex.predictor import Prediction, Predictor
from im2latex.shipped import find_model
from im2latex.tokenizer import BOS, EOS, PAD
from training.labelled import LabelledSet
from training.timing import CLOCKS, Clock, Stopwatch, bar, peak_megabytes, split_reading

ALONE, TOGETHER = "one by one", "in batches"
LOT = 256
"""Pictures that are given to the predictor at once, which makes batches of them."""


@dataclass(frozen=True)
class Arm:
    """A way of reading."""

    form: Literal["torchscript", "eager", "naive"] = "torchscript"
    """torchscript: as shipped; eager: the same modules in Python; naive: the whole prefix again at every token."""
    precision: Literal["fp32", "mixed", "bf16", "int8"] = "fp32"
    """mixed: the encoder in bfloat16; bf16: encoder and decoder."""
    threads: int = 2
    beam: int = 1
    guesses: bool = True
    """Whether the tokens of a picture alone are guessed ahead; only TorchScript does it."""

    @property
    def title(self) -> str:
        """Its name in tables."""
        return f"{self.form} {self.precision}, {self.threads} thread{'s' * (self.threads > 1)}, " + (
            f"beam {self.beam}" if self.beam > 1 else "greedy" if self.guesses else "greedy, no guesses"
        )


@dataclass(frozen=True)
class Work:
    """What is to be read, and how it is timed."""

    data: LabelledSet
    bundle: str | None = None
    clock: Clock = "wall"


@dataclass(frozen=True)
class Measured:
    """What an arm took; all lists have an entry a picture."""

    arm: Arm
    seconds: list[float]
    """Of each picture alone, from its bytes to its LaTeX."""
    batch_seconds: float
    """Of all pictures in batches, likewise."""
    batches: list[list[int]]
    """Which pictures ran together."""
    sizes: list[tuple[int, int]]
    """Of the prepared pictures, (height, width)."""
    tokens: list[str]
    peak_megabytes: float
    parts: dict[str, float] = field(default_factory=dict)
    """Mean seconds a picture, alone, of some PARTS; only for a greedy reading with cached keys and values."""

    @classmethod
    def read(cls, line: str) -> "Measured":
        """What `main` printed."""
        found = json.loads(line)
        return cls(**{**found, "arm": Arm(**found["arm"]), "sizes": [tuple(size) for size in found["sizes"]]})


class NaiveDecoder(nn.Module):
    """Decoding as it is often written: the model reads the whole prefix, and projects the memory, at every token."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, images: Tensor, beam: int = 1) -> tuple[Tensor, Tensor]:
        """What a Decoder gives with `beam` 1."""
        model, mask, count = self.decoder.model, self.decoder.mask, images.shape[0]
        memory = model.encode(images)
        position = mask.start(count, self.decoder.max_tokens)
        written, chosen = torch.full((count, 1), BOS), torch.zeros((count, 0))
        finished = torch.zeros(count, dtype=torch.bool)
        while written.shape[1] <= self.decoder.max_tokens and not bool(finished.all()):
            if written.shape[1] % self.decoder.check_every == 0:
                position = mask.end_runaways(position, written)
            scores = model.decode(written, memory)[:, -1].float().log_softmax(-1)
            log_prob, newest = scores.masked_fill(mask.forbidden(position), self.decoder.impossible).max(-1)
            newest = newest.masked_fill(finished, PAD)
            position = mask.advance(position, newest)
            written = torch.cat([written, newest.unsqueeze(1)], 1)
            chosen = torch.cat([chosen, log_prob.masked_fill(finished, 0.0).unsqueeze(1)], 1)
            finished = finished | newest.eq(EOS)
        return written[:, 1:], chosen

    def search(self, images: Tensor, beam: int) -> tuple[Tensor, Tensor]:
        """The Decoder's own: readings that went round in circles are too few to be read naively."""
        return self.decoder.search(images, beam)


class Casting(nn.Module):
    """A decoder whose arithmetic is bfloat16, behind pictures that are not."""

    def __init__(self, decoder: nn.Module) -> None:
        super().__init__()
        self.decoder: Any = decoder.to(torch.bfloat16)

    def forward(self, images: Tensor, beam: int = 1) -> Any:
        """What the decoder gives."""
        return self.decoder(images.to(torch.bfloat16), beam)

    def read_all(self, images: list[Tensor], beam: int) -> Any:
        """What the decoder gives."""
        return self.decoder.read_all([size.to(torch.bfloat16) for size in images], beam)

    def search(self, images: Tensor, beam: int) -> Any:
        """What the decoder gives."""
        return self.decoder.search(images.to(torch.bfloat16), beam)


def build_eager(bundle: Bundle) -> Decoder:
    """The decoder of a bundle as Python modules, with the same weights."""
    config = read_model(bundle.facts["model"])
    vocab = bundle.tokenizer.vocab
    decoder = Decoder(config.build(len(vocab)), config.max_tokens, Grammar.of(vocab, EOS, PAD))
    decoder.load_state_dict(bundle.decoder.state_dict())
    lay_out(decoder)
    return decoder.eval()


def dress(bundle: Bundle, arm: Arm) -> Bundle:
    """The bundle with a decoder that reads in this way."""
    decoder: nn.Module = bundle.decoder if arm.form == "torchscript" else build_eager(bundle)
    if arm.form == "naive":
        assert isinstance(decoder, Decoder)
        decoder = NaiveDecoder(decoder)
    if arm.precision == "int8":
        decoder = torch.ao.quantization.quantize_dynamic(  # type: ignore[no-untyped-call]
            decoder, {nn.Linear}, dtype=torch.qint8
        )
    if arm.precision == "mixed":
        model: Any = decoder.model
        model.trunk.to(dtype=torch.bfloat16, memory_format=torch.channels_last)
    guesses = arm.guesses and arm.form == "torchscript" and arm.precision in ("fp32", "mixed")
    decoder = Casting(decoder) if arm.precision == "bf16" else decoder
    return replace(bundle, decoder=decoder, draft=bundle.draft if guesses else b"")


def measure(arm: Arm, work: Work) -> Measured:
    """Read all pictures one by one, then in batches, then split into parts."""
    torch.set_num_threads(arm.threads)
    now = CLOCKS[work.clock]
    shipped = load_bundle(find_model(work.bundle))
    predictor = Predictor(dress(shipped, arm))
    labelled = work.data.open()
    pictures = [labelled.read(place) for place in range(len(labelled.names))]
    predictor.warm_up()
    found: list[Prediction] = []
    seconds: list[float] = []
    for picture in bar(pictures, f"{arm.title}, {ALONE}"):
        started = now()
        found.append(predictor.predict(picture, arm.beam))
        seconds.append(now() - started)
    started = now()
    images = [prepare(open_image(picture), predictor.bundle.spec) for picture in pictures]
    batches: list[list[int]] = []
    for start in bar(range(0, len(images), LOT), f"{arm.title}, {TOGETHER}"):
        lot = images[start : start + LOT]
        batches += [[start + place for place in batch] for batch in predictor.batches(lot, arm.beam)]
        predictor.predict_prepared(lot, arm.beam)
    return Measured(
        arm,
        seconds,
        now() - started,
        batches,
        [(image.shape[1], image.shape[2]) for image in images],
        [one.tokens for one in found],
        peak_megabytes(),
        _split(predictor, pictures, arm, work.clock),
    )


def _split(predictor: Predictor, pictures: Sequence[bytes], arm: Arm, clock: Clock) -> dict[str, float]:
    if arm.form == "naive" or arm.precision == "bf16" or arm.beam > 1:
        return {}
    watch = Stopwatch(CLOCKS[clock])
    torch.set_num_threads(1 if predictor.draft is None else arm.threads)  # as the predictor reads a picture alone
    with running():
        for picture in bar(pictures, f"{arm.title}, split"):
            split_reading(predictor, picture, watch)
    return {part: seconds / len(pictures) for part, seconds in watch.seconds.items()}


def main(arguments: Sequence[str]) -> int:
    """Measure the arm and the work that are given as JSON; print one line of JSON."""
    warnings.simplefilter("ignore")  # of libraries, about their own future
    asked = json.loads(arguments[0])
    work = Work(**{**asked["work"], "data": LabelledSet(**asked["work"]["data"])})
    print(json.dumps(asdict(measure(Arm(**asked["arm"]), work))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
