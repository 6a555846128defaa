"""Curves of a run: losses and scores over its steps, out of metrics.csv, as one picture."""

import csv
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from matplotlib.figure import Figure

BLUE, ORANGE, GREEN = "#0072b2", "#d55e00", "#009e73"  # apart for the colour-blind, and in grey
LOSSES = (("train/loss", "--", BLUE), ("val/loss", "-", ORANGE))
SCORES = (("val/bleu", "-", BLUE), ("val/edit_score", "--", ORANGE), ("val/exact_match", ":", GREEN))


def logs_of(folder: Path, name: str) -> list[Path]:
    """The files of this name in the logs of a run and of those that it was resumed from, oldest first."""
    return sorted(folder.glob(f"logs*/{name}"), key=lambda path: (len(path.parent.name), path.parent.name))


def read_rows(folder: Path) -> Iterator[dict[str, str]]:
    """What was logged together, of a run and of those that it was resumed from (`logs*/metrics.csv`), oldest first."""
    for path in logs_of(folder, "metrics.csv"):
        yield from csv.DictReader(path.read_text(encoding="utf-8").splitlines())


def read_curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Each logged value over the steps, of a run and of those that it was resumed from."""
    curves: dict[str, dict[int, float]] = defaultdict(dict)
    for row in read_rows(folder):
        step = int(row.pop("step"))
        for name, value in row.items():
            if value and name != "epoch":
                curves[name][step] = float(value)  # what was trained again after a kill replaces what was lost
    return {name: sorted(points.items()) for name, points in curves.items()}


def draw_curves(folder: Path, out: Path) -> None:
    """Losses on the left, scores of validation on the right; what was not logged is left out."""
    curves = read_curves(folder)
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    for axes, drawn, unit in zip(figure.subplots(1, 2), (LOSSES, SCORES), ("nats a token", "%"), strict=True):
        for name, style, color in drawn:
            if name in curves:
                axes.plot(*zip(*curves[name], strict=True), style, color=color, label=name)
                axes.legend()
        axes.set(xlabel="step", ylabel=unit)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=120)
