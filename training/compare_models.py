"""Train, export and score every formula model on the same data, and print the table of docs/models.md.

python training/compare_models.py --data data/packed --labelled data/val --epochs 4
python training/compare_models.py --table_only true       (parameters, and the scores of what has been trained so far)

All models see the same pictures as often, in batches that suit them. What is there already is not done again, so the
same command goes on where it stopped. OUT/curves.png shows how they learned.
"""

import json
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from im2latex.curves import logs_of, read_rows
from im2latex.models import KINDS
from training.command import run_command, run_script
from training.compare_runs import COLOURS, STYLES
from training.run_experiment import parse
from training.scored import PREDICTIONS, read_table

I2L = [
    *("--model.pools=4", "--model.widths=[32,64,128,256,256]", "--model.units=512"),
    *("--optimizer.name=adamw", "--data.budget.max_samples=56"),
]
"""The paper's pictures are twice as large as ours: one pooling less leaves a symbol as many cells. With half its
channels and a third of its units the nets are as large as the Transformer, where the paper's have 37 and 47 M
parameters and learn from less than a quarter as many pictures a second (docs/experiments.md)."""
FLAGS: dict[str, list[str]] = {
    "resnet_transformer": [],
    "cnn_lstm": ["--optimizer.name=adamw"],
    "cnn_gru": ["--optimizer.name=adamw", "--data.budget.max_samples=32"],
    "i2l_strips": I2L,
    "i2l_nopool": I2L,
}
"""What differs between the trainings: the older systems were trained with Adam, and where attention settles only after
many steps, batches are small (docs/experiments.md)."""
NOT_YET = "not trained yet"
SMOOTH = 20
"""Logged losses that make one point of a curve."""
HEADER = (
    *("model", "parameters (M)", "BLEU", "edit score", "exact match", "image match", "ms a formula", "tokens a second"),
    "learning curve",
)  # fmt: skip


@dataclass(frozen=True)
class CompareConfig:
    """On what, for how long, and where to."""

    data: str = "data/packed"
    """What is trained on, as --data.path of run_experiment.py."""
    labelled: str = "data/packed/val"
    """Packed set that is scored."""
    epochs: int = 4
    """So many that pictures times epochs are 300,000 at least."""
    out: str = "runs/models"
    vocabulary: int = 500
    """Tokens, for the parameters of what is not trained yet."""
    image_match: bool = False
    """Also compare rendered pictures; this needs LaTeX."""
    table_only: bool = False
    more: list[str] = field(default_factory=list)
    """More flags for every training; what a model has of its own (`FLAGS`) stays."""
    score: list[str] = field(default_factory=list)
    """More flags for every evaluation."""


def compare(config: CompareConfig) -> str:
    """Do what is missing, unless only the table is wanted; the table in Markdown."""
    for name in () if config.table_only else KINDS:
        for unless, command in plan(config, name):
            if not unless.exists():
                run_script(command, name)
    draw_curves(config)
    rows = [row(config, name) for name in KINDS]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (HEADER, ["---"] * len(HEADER), *rows))


def plan(config: CompareConfig, name: str) -> list[tuple[Path, list[str]]]:
    """The commands that train, export and score a model, each with the file that makes it unnecessary."""
    folder = Path(config.out) / name
    train = [f"--model={name}", f"--data.path={config.data}", f"--trainer.max_epochs={config.epochs}"]
    train += [f"--out={config.out}", f"--name={name}", "--resume=auto", *config.more, *FLAGS[name]]
    export = [f"--checkpoint={folder / 'best.ckpt'}", f"--out={folder / 'bundle.pt'}", f"--name={name}"]
    score = [f"--bundle={folder / 'bundle.pt'}", f"--data={config.labelled}", f"--out={folder}", *config.score]
    return [
        (folder / "bundle.pt", ["training/run_experiment.py", *train]),
        (folder / "bundle.pt", ["training/export_bundle.py", *export, "--max_megabytes=200"]),
        (folder / "scores.json", ["training/evaluate.py", *score, f"--image_match={str(config.image_match).lower()}"]),
    ]


def row(config: CompareConfig, name: str) -> list[str]:
    """The cells of a model; the time is that of reading the whole set, picture after picture or in batches.

    Its learning curve is validation's edit score at the end of each epoch.
    """
    folder = Path(config.out) / name
    parameters = f"{count_parameters(name, config.vocabulary) / 1e6:.1f}"
    if not (folder / "scores.json").exists():
        return [name, parameters, NOT_YET, *[""] * (len(HEADER) - 3)]
    report: dict[str, Any] = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
    tokens = sum(len(each["prediction"].split()) for each in read_table(folder / PREDICTIONS))
    scores = [report["scores"].get(key) for key in ("bleu", "edit_score", "exact_match", "image_match")]
    return [
        name, parameters, *("" if score is None else f"{score:.1f}" for score in scores),
        f"{1000 * report['seconds'] / report['formulas']:.1f}", f"{tokens / report['seconds']:.0f}",
        " ".join(f"{score:.0f}" for _, score in validated(folder)),
    ]  # fmt: skip


def draw_curves(config: CompareConfig) -> None:
    """Training loss and validation's edit score of all models over the epochs, as far as they came: OUT/curves.png."""
    folders = {name: Path(config.out) / name for name in KINDS}
    if not any(logs_of(folder, "metrics.csv") for folder in folders.values()):
        return
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    losses, scores = figure.subplots(1, 2)
    for (name, folder), colour, style in zip(folders.items(), cycle(COLOURS), cycle(STYLES), strict=False):
        points = read_over_epochs(folder, "train/loss")
        parts = [points[start : start + SMOOTH] for start in range(0, len(points), SMOOTH)]
        means = [(part[-1][0], sum(loss for _, loss in part) / len(part)) for part in parts]
        for axes, curve in ((losses, means), (scores, validated(folder))):
            if curve:
                axes.plot(*zip(*curve, strict=True), style, color=colour, label=name)
    losses.set(xlabel="epoch", ylabel="training loss, nats a token")
    scores.set(xlabel="epoch", ylabel="edit score of validation, %")
    losses.legend()
    figure.savefig(Path(config.out) / "curves.png", dpi=120)


def validated(folder: Path) -> list[tuple[float, float]]:
    """Validation's edit score at the end of each epoch of a run."""
    return [point for point in read_over_epochs(folder, "val/edit_score") if point[0].is_integer()]


def read_over_epochs(folder: Path, value: str) -> list[tuple[float, float]]:
    """A logged value over the epochs of a run, whose batches may differ from others': evenly spread within each.

    The last of an epoch stands at its end, also that of an epoch that is not over.
    """
    logged: dict[int, dict[int, float]] = defaultdict(dict)
    for row in read_rows(folder):
        if row.get(value):
            logged[int(row["epoch"])][int(row["step"])] = float(row[value])
    return [
        (epoch + place / len(steps), found)
        for epoch, steps in sorted(logged.items())
        for place, (_, found) in enumerate(sorted(steps.items()), 1)
    ]


def count_parameters(name: str, vocabulary: int) -> int:
    """Parameters of the model as `plan` trains it."""
    model = parse([f"--model={name}", *FLAGS[name]]).model.build(vocabulary)
    return sum(parameter.numel() for parameter in model.parameters())


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 when the table was printed, 1 with a message if not."""
    return run_command(CompareConfig, compare, arguments, name="compare_models.py", usage=__doc__)


if __name__ == "__main__":
    sys.exit(main())
