"""Pictures of a symbol network: curves, samples with truth and confidence, and what it takes for what."""

import csv
from collections import defaultdict
from pathlib import Path

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from im2latex.curves import logs_of
from im2latex.data.symbols import SymbolSet

BLUE, ORANGE = "#0072b2", "#d55e00"  # apart for the colour-blind, and in grey
WORST = 25
"""How many confused classes the matrix shows."""


def read_curves(folder: Path) -> dict[str, list[tuple[float, float]]]:
    """Each logged value over the epochs, of a run and those it was resumed from."""
    curves: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for path in logs_of(folder, "metrics.csv"):
        for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines()):
            for name, value in row.items():
                if value and name not in ("epoch", "step"):
                    curves[name].append((float(row["epoch"]) + 1, float(value)))
    return curves


def draw_curves(folder: Path, out: Path) -> None:
    """Losses, and the share of right answers, over the epochs."""
    curves = read_curves(folder)
    figure = Figure(figsize=(8, 3), layout="constrained")
    losses, right = figure.subplots(1, 2)
    for name, style in (("train/loss", "--"), ("val/loss", "-")):
        losses.plot(*zip(*curves[name], strict=True), style, color=BLUE, label=name)
    losses.set(xlabel="epoch", ylabel="cross-entropy (nats)")
    losses.legend()
    right.plot(*zip(*curves["val/accuracy"], strict=True), color=ORANGE)
    right.set(xlabel="epoch", ylabel="validation symbols right (%)")
    figure.savefig(out, dpi=120)


def draw_samples(symbols: SymbolSet, probabilities: Tensor, out: Path, rows: int = 4, columns: int = 8) -> None:
    """The first half drawn evenly over the set, the second the surest mistakes; each with guess, confidence, truth."""
    confidence, guess = probabilities.max(1)
    half = rows * columns // 2
    evenly = torch.linspace(0, len(symbols) - 1, half).long()
    surest = torch.where(guess != symbols.labels, confidence, -1.0).argsort(descending=True)[:half]
    figure = Figure(figsize=(1.1 * columns, 1.5 * rows), layout="constrained")
    figure.suptitle("Guess and confidence; below: the surest mistakes, with the truth", fontsize=10)
    for axes, place in zip(figure.subplots(rows, columns).flat, [*evenly.tolist(), *surest.tolist()], strict=False):
        truth, named = symbols.classes[symbols.labels[place]], symbols.classes[guess[place]]
        is_right = truth == named
        told = f"{named}  {100 * confidence[place]:.0f} %" + ("" if is_right else f"\nis {truth}")
        axes.imshow(255 - symbols.squares[place].numpy(), cmap="gray", vmin=0, vmax=255)
        axes.set_title(told.replace("$", r"\$"), fontsize=8, color="black" if is_right else ORANGE)
        axes.set(xticks=[], yticks=[])
    figure.savefig(out, dpi=120)


def count_confusions(symbols: SymbolSet, probabilities: Tensor) -> Tensor:
    """How often truth (row) was named guess (column): (classes, classes)."""
    classes = len(symbols.classes)
    pairs = symbols.labels * classes + probabilities.argmax(1)
    return torch.bincount(pairs, minlength=classes * classes).view(classes, classes)


def draw_confusions(symbols: SymbolSet, probabilities: Tensor, out: Path) -> None:
    """The confusion matrix of all classes, and a legible one of those that are confused most."""
    counts = count_confusions(symbols, probabilities)
    mistakes = counts - torch.diag(counts.diag())
    worst = (mistakes.sum(0) + mistakes.sum(1)).argsort(descending=True)[:WORST].sort().values
    figure = Figure(figsize=(13, 7.2), layout="constrained")
    whole, part = figure.subplots(1, 2)
    _draw_matrix(whole, counts, f"all {len(counts)} classes")
    whole.set(xticks=[], yticks=[])
    _draw_matrix(part, counts[worst][:, worst], f"the {len(worst)} that are confused most, with the number of symbols")
    names = [symbols.classes[number] for number in worst.tolist()]
    part.set_xticks(range(len(names)), names, rotation=90, fontsize=8, parse_math=False)
    part.set_yticks(range(len(names)), names, fontsize=8, parse_math=False)
    for row, truth in enumerate(worst.tolist()):
        for column, guess in enumerate(worst.tolist()):
            count = int(counts[truth, guess])
            if count:
                share = count / int(counts[truth].sum())
                part.text(column, row, str(count), ha="center", va="center", fontsize=6,
                          color="white" if share > 0.5 else "black")  # fmt: skip
    figure.savefig(out, dpi=110)


def _draw_matrix(axes: Axes, counts: Tensor, title: str) -> None:
    shares = counts / counts.sum(1, keepdim=True).clamp(min=1)
    axes.imshow(shares.numpy(), cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    axes.set(title=title, xlabel="guess", ylabel="truth")
