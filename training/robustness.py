r"""How much of a bundle's edit score is kept when pictures are scaled, inverted, compressed, turned, blurred.

python training/robustness.py --images images.zip --labels labels.tsv --limit 200 --out runs/robustness

Prints a table and writes robustness.json and robustness.png. Also counts how many answers to pictures of noise compile.
Interrupted, the same command goes on where it was. `--latex false` leaves out what needs LaTeX: the font, and noise.
"""

import io
import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from PIL import Image

from im2latex import metrics
from im2latex.data.looks import FONTS
from im2latex.images import open_image, to_grey
from im2latex.predictor import Predictor
from im2latex.rendering.renderer import Look, render_formulas
from training.command import run_command
from training.disturbances import DISTURBANCES, draw_noise
from training.labelled import LabelledPictures, LabelledSet
from training.provenance import current_command, current_commit
from training.reading import Reading, name_run, read_pictures
from training.rendered_pairs import compiles
from training.scored import Scored, join_readings

WANTED = 97
"""Percent of the clean edit score that shall be kept."""
CLEAN = "clean"


@dataclass(frozen=True)
class RobustnessConfig(LabelledSet):
    """What to measure, on which pictures."""

    bundle: str | None = None
    """Model file; None: the one that ships."""
    beam: int = 1
    font: str = FONTS["kp"]
    """LaTeX that loads a font which the model was not taught."""
    noise: int = 100
    """Pictures of noise."""
    latex: bool = True
    """False: leave out the other font, and the noise."""
    workers: int = 2
    """Processes that render."""
    out: str = "runs/robustness"
    """Folder for robustness.json and robustness.png."""
    threads: int = 0
    """CPU threads for the model; 0: as many as torch takes."""


class Measurement:
    """One bundle, read under one condition after the other."""

    def __init__(self, config: RobustnessConfig) -> None:
        self.config = config
        self.pictures = config.open()
        self.predictor = Predictor.load(config.bundle)
        self.files: list[Path] = []

    def read(self, condition: str, pictures: LabelledPictures) -> dict[int, Reading]:
        """What is read in the pictures, by place; taken from the file of an interrupted run as far as it goes."""
        slug = re.sub(r"[^a-z0-9]+", "-", condition.lower())
        file = Path(self.config.out) / f"{slug}.unfinished.jsonl"
        self.files.append(file)
        run = f"{name_run(self.config.bundle, pictures, str(self.config.beam))} {condition}"
        print(condition, file=sys.stderr)
        return read_pictures(self.predictor, pictures, self.config.beam, file, run).by_place

    def read_disturbed(self, condition: str, disturb: Callable[[Image.Image], Image.Image]) -> list[Scored]:
        """Every picture of the set, disturbed."""
        read = self.pictures.read

        def read_changed(place: int) -> bytes:
            return encode(disturb(to_grey(open_image(read(place)))))

        changed = LabelledPictures(self.pictures.names, self.pictures.formulas, read_changed)
        return self.join(changed, self.read(condition, changed))

    def read_font(self, condition: str) -> dict[int, Scored]:
        """The formulas that can be set in the other font, read from that picture, by their place."""
        look = Look(preamble=self.config.font)
        rendered = list(render_formulas(self.pictures.formulas, look, self.config.workers))
        images = {row.index: row.image for row in rendered if row.image is not None}
        places = list(images)
        drawn = LabelledPictures(
            [self.pictures.names[place] for place in places],
            [self.pictures.formulas[place] for place in places],
            lambda row: encode(images[places[row]]),
        )
        return dict(zip(places, self.join(drawn, self.read(condition, drawn)), strict=True))

    def read_noise(self) -> dict[str, Any]:
        """How many pictures of noise are answered, and how many of the answers compile."""
        names = [f"noise {seed}" for seed in range(self.config.noise)]
        pictures = LabelledPictures(names, [""] * len(names), lambda seed: encode(draw_noise(seed)))
        answers = [reading for reading in self.read("noise", pictures).values() if not reading.error]
        rendered = render_formulas([answer.latex for answer in answers], Look(), self.config.workers)
        compiling = sum(map(compiles, rendered))
        return {
            "pictures": len(names),
            "refused": len(names) - len(answers),
            "compile": compiling,
            "compile_rate": round(100 * compiling / max(1, len(answers)), 2),
            "mean_confidence": round(sum(answer.confidence for answer in answers) / max(1, len(answers)), 4),
        }

    def join(self, pictures: LabelledPictures, readings: dict[int, Reading]) -> list[Scored]:
        """The readings beside their references."""
        return join_readings(pictures, readings, self.config.references)


def measure(config: RobustnessConfig) -> dict[str, Any]:
    """Read the set under every condition, write both files, and return what robustness.json holds."""
    if config.threads:
        torch.set_num_threads(config.threads)
    if config.latex:
        list(render_formulas(["x"], Look(preamble=config.font)))  # a font that is missing stops here, not hours later
    measurement = Measurement(config)
    clean = measurement.join(measurement.pictures, measurement.read(CLEAN, measurement.pictures))
    conditions = {CLEAN: compare(clean, clean)}
    for name, disturb in DISTURBANCES.items():
        conditions[name] = compare(clean, measurement.read_disturbed(name, disturb))
    if config.latex:
        name = " ".join(["font", *re.findall(r"{(\w+)}", config.font)])
        in_font = measurement.read_font(name)
        conditions[name] = compare([clean[place] for place in in_font], list(in_font.values()))
    report = {
        "set": config.title,
        "model": measurement.predictor.name,
        "conditions": conditions,
        "noise": measurement.read_noise() if config.latex and config.noise else None,
        "config": asdict(config),
        "command": current_command(),
        "commit": current_commit(),
    }
    folder = Path(config.out)
    (folder / "robustness.json").write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    draw_chart(report).savefig(folder / "robustness.png", dpi=150, bbox_inches="tight")
    for file in measurement.files:
        file.unlink()
    return report


def compare(clean: Sequence[Scored], found: Sequence[Scored]) -> dict[str, float]:
    """Scores in percent, and how much of the clean score of the same formulas is kept."""
    if not found:
        return {"formulas": 0, "edit_score": 0.0, "exact_match": 0.0, "edit_score_kept": 0.0, "exact_match_kept": 0.0}
    scores: dict[str, float] = {"formulas": len(found)}
    for name, score in (("edit_score", metrics.edit_score), ("exact_match", metrics.exact_match)):
        value, best = (
            score([row.prediction for row in rows], [row.reference for row in rows]) for rows in (found, clean)
        )
        scores |= {name: round(value, 2), f"{name}_kept": round(100 * value / best, 2) if best > 0 else 100.0}
    return scores


def encode(image: Image.Image) -> bytes:
    """The bytes of a PNG file, without loss."""
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def format_table(report: dict[str, Any]) -> str:
    """The report as lines for a person."""
    lines = [f"{report['set']}, model {report['model']}; percent, higher is better"]
    lines.append(f"  {'condition':<26}{'formulas':>9}{'edit score':>12}{'kept':>9}{'exact':>9}{'kept':>9}")
    for name, row in report["conditions"].items():
        edit, exact = (f"{row[score]:9.2f}{row[score + '_kept']:9.2f}" for score in ("edit_score", "exact_match"))
        lines.append(f"  {name:<26}{row['formulas']:9}   {edit}{exact}")
    noise = report["noise"]
    if noise:
        answered = noise["pictures"] - noise["refused"]
        lines.append(
            f"  noise: {noise['compile']} of {answered} answers compile ({noise['compile_rate']:.2f} %), "
            f"mean confidence {noise['mean_confidence']:.2f}; {noise['refused']} pictures refused"
        )
    return "\n".join(lines)


def draw_chart(report: dict[str, Any]) -> Figure:
    """Bars of the edit score kept under each condition, with the score that is wanted."""
    rows = {name: row["edit_score_kept"] for name, row in report["conditions"].items() if name != CLEAN}
    figure = Figure(figsize=(7, 0.4 * len(rows) + 1))
    axes = figure.subplots()
    colours = ["#3b7dd8" if kept >= WANTED else "#d9793b" for kept in rows.values()]
    bars = axes.barh(list(rows), list(rows.values()), color=colours)
    axes.bar_label(bars, fmt="%.1f", padding=3)
    axes.axvline(WANTED, color="grey", linestyle="--", linewidth=1)
    axes.set(xlim=(0, 110), xlabel=f"edit score kept, % of the clean one (dashed: {WANTED})", title=report["model"])
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 if the report was written, 1 with a message if not."""
    return run_command(
        RobustnessConfig, lambda config: format_table(measure(config)), arguments, name="robustness.py", usage=__doc__
    )


if __name__ == "__main__":
    sys.exit(main())
