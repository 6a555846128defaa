"""One file that holds a trained decoder and all it needs; the only file that says torch.jit.

A bundle is a TorchScript archive with one more entry, JSON: format version, vocabulary, image spec and facts; where it
names single symbols: format version, kind, classes and facts. Weights lie there in bfloat16, half the size; they are
float32 again when loaded, and no arithmetic is done in bfloat16. A second entry may hold the graph of a draft.
"""

import copy
import json
import warnings
import zipfile
from collections.abc import Iterator, Sequence
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
ENTRY, DRAFT = "im2latex.json", "draft.onnx"
FORMULA, SYMBOL = "formula", "symbol"
COMMANDS = {FORMULA: "im2latex predict", SYMBOL: "im2latex symbol"}
"""What each kind of bundle is for."""


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
    draft: bytes = b""
    """The graph that guesses tokens ahead (im2latex/decoding/draft.py); empty: nothing is guessed."""


@dataclass(frozen=True)
class SymbolBundle:
    """A network ready to name symbols: `classifier(images (B, 1, H, W)) -> probabilities (B, classes)`."""

    classifier: nn.Module
    classes: tuple[str, ...]
    facts: dict[str, Any]


def round_weights(decoder: nn.Module) -> nn.Module:
    """A float32 copy of the decoder, in eval mode on the CPU, with the weights as a bundle keeps them."""
    return copy.deepcopy(decoder).cpu().eval().to(torch.bfloat16).to(torch.float32)


def lay_out(module: nn.Module) -> nn.Module:
    """Lay the weights of products out by columns: the values are the same, and few rows are multiplied sooner."""
    for weight in module.parameters():
        if weight.dim() == 2:
            weight.data = weight.data.t().contiguous().t()
    return module


def save_bundle(
    path: str | Path,
    decoder: nn.Module,
    tokenizer: Tokenizer,
    spec: ImageSpec,
    facts: dict[str, Any],
    calibration: Calibration | None = None,
    draft: bytes = b"",
) -> None:
    """Write the bundle whole or not at all; adds `parameters` and `vocabulary` (counts) to the facts.

    Raises BundleError when TorchScript cannot express the decoder.
    """
    about: dict[str, Any] = {"vocab": tokenizer.vocab, "spec": asdict(spec)}
    about["facts"] = {**_count(decoder), "vocabulary": len(tokenizer), **facts}
    if calibration is not None:
        about["calibration"] = asdict(calibration)
    _save(Path(path), decoder, about, draft)


def load_bundle(path: str | Path) -> Bundle:
    """Read a bundle onto the CPU, in float32 and eval mode; raises BundleError when it is missing, damaged or newer."""
    decoder, about, draft = _load(Path(path), FORMULA, {"vocab", "spec", "facts"})
    try:
        return Bundle(
            decoder=decoder,
            tokenizer=Tokenizer(about["vocab"]),
            spec=ImageSpec(**about["spec"]),
            facts=dict(about["facts"]),
            calibration=_read_calibration(about.get("calibration")),
            draft=draft,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{Path(path).name} has settings that this im2latex cannot read: {error!r}") from error


def save_symbols(path: str | Path, classifier: nn.Module, classes: Sequence[str], facts: dict[str, Any]) -> None:
    """Write a network that names symbols, as `save_bundle` does a decoder."""
    counted = {**_count(classifier), "classes": len(classes)}
    _save(Path(path), classifier, {"kind": SYMBOL, "classes": list(classes), "facts": {**counted, **facts}})


def load_symbols(path: str | Path) -> SymbolBundle:
    """Read what `save_symbols` wrote; raises BundleError as `load_bundle` does."""
    classifier, about, _ = _load(Path(path), SYMBOL, {"classes", "facts"})
    return SymbolBundle(classifier, tuple(about["classes"]), about["facts"])


def _count(module: nn.Module) -> dict[str, int]:
    return {"parameters": sum(weight.numel() for weight in module.parameters())}


def _save(path: Path, module: nn.Module, about: dict[str, Any], draft: bytes = b"") -> None:
    extra: dict[str, str | bytes] = {ENTRY: json.dumps({"format": FORMAT, **about}, ensure_ascii=False)}
    if draft:
        extra[DRAFT] = draft
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    with _quiet_about_torchscript():
        try:
            scripted = torch.jit.script(round_weights(module))
        except RuntimeError as error:
            raise BundleError(f"TorchScript cannot express {type(module).__name__}: {error}") from error
        torch.jit.save(scripted.to(torch.bfloat16), str(partial), _extra_files=extra)
    partial.replace(path)


def _load(path: Path, kind: str, wanted: set[str]) -> tuple[nn.Module, dict[str, Any], bytes]:
    """The module in a bundle of this kind, its JSON entry, which has the wanted keys, and the graph of its draft."""
    if not path.is_file():
        raise BundleError(f"there is no model file {path}; name one with --bundle, or export one")
    extra: dict[str, Any] = {ENTRY: "", DRAFT: b""}  # what is not there stays empty
    with _quiet_about_torchscript():
        try:
            module = torch.jit.load(str(path), map_location="cpu", _extra_files=extra)  # type: ignore[no-untyped-call]
        except (RuntimeError, ValueError, OSError) as error:
            raise BundleError(f"{path.name} is damaged or no model file: {str(error)[:80]}") from error
    with zipfile.ZipFile(path) as archive:  # PyTorch checks no sums
        if (broken := archive.testzip()) is not None:
            raise BundleError(f"{path.name} is damaged: {broken} is not what was written; fetch the file again")
    about = _read_entry(path.name, extra[ENTRY])
    found = str(about.get("kind", FORMULA))
    if found != kind:
        command = COMMANDS.get(found, "a newer im2latex")
        raise BundleError(f"{path.name} holds a {found} model, wanted a {kind} model; it is for `{command}`")
    missing = wanted - about.keys()
    if missing:
        raise BundleError(f"{path.name} lacks {sorted(missing)}")
    return lay_out(module.to(torch.float32).eval()), about, extra[DRAFT]


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
    return dict(about)


def _read_calibration(found: dict[str, list[float]] | None) -> Calibration | None:
    """The calibration of a bundle, which need not have one."""
    if found is None:
        return None
    return Calibration(tuple(found["token_weights"]), tuple(found["formula_weights"]))
