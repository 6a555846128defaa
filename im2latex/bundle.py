"""One file that holds a trained decoder and all it needs; the only file that says torch.jit.

A bundle is a TorchScript archive with one more entry, JSON: format version, vocabulary, image spec and facts. Weights
lie there in bfloat16, half the size; they are float32 again when loaded, and no arithmetic is done in bfloat16.
"""

import copy
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from im2latex.calibration import Calibration
from im2latex.errors import BundleError
from im2latex.images import ImageSpec
from im2latex.tokenizer import Tokenizer

FORMAT = 1
ENTRY = "im2latex.json"


@dataclass(frozen=True)
class Bundle:
    """A model ready to read pictures: `decoder(images (B, 1, H, W), beam) -> token_ids (B, T), log_probs (B, T)`."""

    decoder: nn.Module
    tokenizer: Tokenizer
    spec: ImageSpec
    facts: dict[str, Any]
    """What a user may ask about the model: parameters, vocabulary size, trained on, scores, commit, ..."""
    calibration: Calibration | None = None
    """How its probabilities become confidences; None: they are told as they are."""


def round_weights(decoder: nn.Module) -> nn.Module:
    """A float32 copy of the decoder, in eval mode on the CPU, with the weights as a bundle keeps them."""
    return copy.deepcopy(decoder).cpu().eval().to(torch.bfloat16).to(torch.float32)


def save_bundle(
    path: str | Path,
    decoder: nn.Module,
    tokenizer: Tokenizer,
    spec: ImageSpec,
    facts: dict[str, Any],
    calibration: Calibration | None = None,
) -> None:
    """Write the bundle whole or not at all; adds `parameters` and `vocabulary` (counts) to the facts.

    Raises BundleError when TorchScript cannot express the decoder.
    """
    path = Path(path)
    counted = {"parameters": sum(weight.numel() for weight in decoder.parameters()), "vocabulary": len(tokenizer)}
    about: dict[str, Any] = {"format": FORMAT, "vocab": tokenizer.vocab, "spec": asdict(spec)}
    about["facts"] = {**counted, **facts}
    if calibration is not None:
        about["calibration"] = asdict(calibration)
    extra = {ENTRY: json.dumps(about, ensure_ascii=False)}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    with _quiet_about_torchscript():
        try:
            scripted = torch.jit.script(round_weights(decoder))
        except RuntimeError as error:
            raise BundleError(f"TorchScript cannot express {type(decoder).__name__}: {error}") from error
        torch.jit.save(scripted.to(torch.bfloat16), str(partial), _extra_files=extra)
    partial.replace(path)


def load_bundle(path: str | Path) -> Bundle:
    """Read a bundle onto the CPU, in float32 and eval mode; raises BundleError when it is missing, damaged or newer."""
    path = Path(path)
    if not path.is_file():
        raise BundleError(f"there is no model file {path}; name one with --bundle, or export one")
    extra = {ENTRY: ""}
    with _quiet_about_torchscript():
        try:
            decoder = torch.jit.load(str(path), map_location="cpu", _extra_files=extra)  # type: ignore[no-untyped-call]
        except (RuntimeError, ValueError, OSError) as error:
            raise BundleError(f"{path.name} is damaged or no model file: {str(error)[:80]}") from error
    about = _read_entry(path.name, extra[ENTRY])
    return Bundle(
        decoder=decoder.to(torch.float32).eval(),
        tokenizer=Tokenizer(about["vocab"]),
        spec=ImageSpec(**about["spec"]),
        facts=about["facts"],
        calibration=_read_calibration(path.name, about.get("calibration")),
    )


@contextmanager
def _quiet_about_torchscript() -> Iterator[None]:
    """Users cannot act on its deprecation; we can, in this file."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*torch.jit", category=FutureWarning)
        warnings.filterwarnings("ignore", message=".*torch.jit", category=DeprecationWarning)
        yield


def _read_entry(name: str, text: str | bytes) -> dict[str, Any]:
    """The JSON entry, if this version of im2latex understands it."""
    try:
        about = json.loads(text)
        version = about["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{name} was not written by im2latex: it lacks a readable {ENTRY}") from error
    if version != FORMAT:
        raise BundleError(f"{name} has format {version}, this im2latex reads {FORMAT}: export it again or update")
    missing = {"vocab", "spec", "facts"} - about.keys()
    unknown = about.get("spec", {}).keys() - asdict(ImageSpec()).keys()
    if missing or unknown:
        raise BundleError(f"{name} lacks {sorted(missing)} or has unknown image settings {sorted(unknown)}")
    return dict(about)


def _read_calibration(name: str, found: dict[str, list[float]] | None) -> Calibration | None:
    """The calibration of a bundle, which need not have one."""
    if found is None:
        return None
    try:
        return Calibration(tuple(found["token_weights"]), tuple(found["formula_weights"]))
    except (KeyError, TypeError) as error:
        raise BundleError(f"{name} has a calibration that this im2latex cannot read: {error!r}") from error
