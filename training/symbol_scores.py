"""What a symbol network reaches on validation symbols, and the class biases that make its confidence honest."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from im2latex.bundle import save_symbols
from im2latex.data.symbols import SymbolSet, ValidationBatches
from im2latex.models.symbol_cnn import SymbolClassifier
from training.provenance import current_command, current_commit
from training.symbol_pictures import draw_confusions, draw_samples

FOLDS = 5
PENALTY = 1.0
"""Nats for each squared bias, over the whole set: what a handful of symbols say of a class is half believed."""


@dataclass(frozen=True)
class Scaling:
    """Vector scaling with one temperature (Guo et al. 2017, arXiv 1706.04599).

    The biases (classes,) put right what the network leans to: how often each class was met in training, and whose hands
    wrote it.
    """

    temperature: float
    biases: Tensor

    def probabilities(self, logits: Tensor) -> Tensor:
        """Of logits (N, classes)."""
        return torch.softmax(logits / self.temperature + self.biases, dim=1)


def fit_scaling(logits: Tensor, labels: Tensor) -> Scaling:
    """What makes labels (N,) most probable, given logits (N, classes); biases are kept small."""
    sharpness = torch.ones(1, requires_grad=True)
    biases = torch.zeros(logits.shape[1], requires_grad=True)
    optimizer = torch.optim.LBFGS([sharpness, biases], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> float:
        optimizer.zero_grad()
        nats = F.cross_entropy(logits * sharpness + biases, labels)
        nats = nats + PENALTY * biases.square().sum() / len(labels)
        nats.backward()  # type: ignore[no-untyped-call]
        return float(nats.detach())

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return Scaling(1 / float(sharpness.detach()), biases.detach())


def cross_validate(logits: Tensor, labels: Tensor) -> Tensor:
    """Probabilities (N, classes), each by a scaling that was fitted without it: on the other four fifths."""
    fold = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0)) % FOLDS
    probabilities = torch.zeros_like(logits)
    for number in range(FOLDS):
        judged = fold == number
        probabilities[judged] = fit_scaling(logits[~judged], labels[~judged]).probabilities(logits[judged])
    return probabilities


def accuracy(probabilities: Tensor, labels: Tensor, among: int) -> float:
    """Percent of the symbols whose class is among so many most probable ones."""
    among = min(among, probabilities.shape[1])
    right = (probabilities.topk(among, dim=1).indices == labels.unsqueeze(1)).any(1)
    return round(100 * float(right.float().mean()), 2)


def score_net(net: nn.Module, name: str, val: SymbolSet, folder: Path, writes_bundle: bool = True) -> dict[str, Any]:
    """What scores.json holds; writes it, pictures of samples and confusions, and the bundle into `folder`.

    `net` gives logits (B, classes) of images (B, 1, SIDE, SIDE).
    """
    batches, labels = ValidationBatches(val, 500), val.labels
    with torch.no_grad():
        logits = torch.cat([net(batches[number][0]) for number in range(len(batches))])
    scaling, judged = fit_scaling(logits, labels), cross_validate(logits, labels)
    scores: dict[str, Any] = {
        "net": name,
        "symbols": len(val),
        "classes": len(val.classes),
        "parameters": sum(weight.numel() for weight in net.parameters()),
        "accuracy": accuracy(judged, labels, among=1),
        "accuracy_among_six": accuracy(judged, labels, among=6),
        "accuracy_of_network": accuracy(logits, labels, among=1),
        "temperature": round(scaling.temperature, 3),
        "commit": current_commit(),
    }
    (folder / "scores.json").write_text(json.dumps({**scores, "command": current_command()}, indent=2))
    draw_samples(val, judged, folder / "samples.png")
    draw_confusions(val, judged, folder / "confusions.png")
    if writes_bundle:
        facts = {key: value for key, value in scores.items() if key not in ("classes", "parameters")}
        classifier = SymbolClassifier(net, scaling.temperature, scaling.biases)
        save_symbols(folder / "bundle.pt", classifier, val.classes, facts)
    return scores


def tell(scores: dict[str, Any], folder: str) -> str:
    """The scores in a line."""
    return (
        f"{folder}: {scores['net']}, {scores['parameters']} parameters, {scores['accuracy']:.2f} % of "
        f"{scores['symbols']} validation symbols right ({scores['accuracy_of_network']:.2f} % without class "
        f"biases), {scores['accuracy_among_six']:.2f} % among six guesses"
    )
