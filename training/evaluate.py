"""Score a bundle on labelled pictures: a table, scores.json, and predictions.tsv with every formula.

python training/evaluate.py --images images.zip --labels labels.tsv          (a folder or zip, name<TAB>latex lines)
python training/evaluate.py --data data/packed/val --beam 5 --out runs/beam5 (a packed data set)
"""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from jsonargparse import ArgumentParser
from torch import Tensor
from tqdm import tqdm

from im2latex import metrics
from im2latex.errors import ConfigError, FormulaError, Im2LatexError, ImageError
from im2latex.images import ImageSpec, open_image, prepare
from im2latex.latex import canonicalize, to_official
from im2latex.predictor import Predictor
from training.labelled import LabelledPictures, open_labelled, open_packed
from training.provenance import current_command, current_commit

CHUNK = 512
"""Pictures prepared at a time: those of one size in a chunk run together."""


@dataclass(frozen=True)
class EvaluateConfig:
    """What to score, and where to write the scores."""

    bundle: str | None = None
    """Model file; None: the one that ships."""
    images: str | None = None
    """Folder or zip of pictures; needs `labels`."""
    labels: str | None = None
    """Tab-separated lines without header: name of the picture, then its LaTeX."""
    label_column: int = 1
    """Column of `labels` that holds the LaTeX; the name is column 0."""
    data: str | None = None
    """A packed data set, instead of `images` and `labels`."""
    references: Literal["canonical", "as_is"] = "canonical"
    """canonical: labels are brought to the normal form first; as_is: they are in it, tokens separated by spaces."""
    beam: int = 1
    limit: int | None = None
    """Only so many pictures, from the first on."""
    out: str = "runs/scores"
    """Folder for scores.json and predictions.tsv."""
    name: str | None = None
    """What the scored set is called; None: the folder it lies in."""
    threads: int = 0
    """CPU threads for the model; 0: as many as torch takes."""


@dataclass(frozen=True)
class Scored:
    """One picture: the tokens it shows and the tokens that were read, both in the official normal form."""

    name: str
    reference: list[str]
    prediction: list[str]
    confidence: float
    error: str = ""
    is_canonical: bool = True


def evaluate(config: EvaluateConfig) -> dict[str, Any]:
    """Read every picture, write both files, and return what scores.json holds."""
    if config.threads:
        torch.set_num_threads(config.threads)
    pictures, name = _open_set(config)
    predictor = Predictor.load(config.bundle)
    predictor.warm_up()
    count = min(len(pictures.names), config.limit or sys.maxsize)
    started = time.perf_counter()
    scored = list(tqdm(_read_pictures(predictor, pictures, count, config), total=count, unit="formula", disable=None))
    seconds = time.perf_counter() - started
    report = {
        "set": name,
        "model": predictor.name,
        "formulas": count,
        "unreadable_pictures": sum(bool(row.error) for row in scored),
        "labels_not_canonical": sum(not row.is_canonical for row in scored),
        "references": config.references,
        "beam": config.beam,
        "scores": score(scored),
        "seconds": round(seconds, 2),
        "formulas_per_second": round(count / seconds, 2),
        "threads": torch.get_num_threads(),
        "command": current_command(),
        "commit": current_commit(),
    }
    _write(Path(config.out), report, scored)
    return report


def score(scored: list[Scored]) -> dict[str, float]:
    """The four scores over the corpus, in percent, rounded to 0.01; an unreadable picture counts as nothing read."""
    predictions, references = [row.prediction for row in scored], [row.reference for row in scored]
    scores = {
        "bleu": metrics.corpus_bleu(predictions, references),
        "edit_score": metrics.edit_score(predictions, references),
        "exact_match": metrics.exact_match(predictions, references),
        "exact_match_ignoring_spacing": metrics.exact_match_ignoring_spacing(predictions, references),
    }
    return {name: round(value, 2) for name, value in scores.items()}


def to_reference(label: str, references: str) -> tuple[list[str], bool]:
    """Tokens of a label in the official normal form, and whether it could be brought there."""
    if references == "as_is":
        return label.split(), True
    try:
        return to_official(canonicalize(label)), True
    except FormulaError:
        return label.split(), False


def _open_set(config: EvaluateConfig) -> tuple[LabelledPictures, str]:
    if config.data is not None and config.images is None and config.labels is None:
        return open_packed(Path(config.data)), config.name or Path(config.data).resolve().name
    if config.data is None and config.images is not None and config.labels is not None:
        pictures = open_labelled(Path(config.images), Path(config.labels), config.label_column)
        return pictures, config.name or Path(config.labels).resolve().parent.name
    raise ConfigError("name --images and --labels, or --data, and not both")


def _read_pictures(
    predictor: Predictor, pictures: LabelledPictures, count: int, config: EvaluateConfig
) -> Iterator[Scored]:
    for start in range(0, count, CHUNK):
        places = range(start, min(start + CHUNK, count))
        prepared, errors = _prepare(predictor.bundle.spec, pictures, places)
        found = predictor.predict_prepared(list(prepared.values()), config.beam)
        predictions = dict(zip(prepared, found, strict=True))
        for place in places:
            reference, is_canonical = to_reference(pictures.formulas[place], config.references)
            yield Scored(
                name=pictures.names[place],
                reference=reference,
                prediction=to_official(predictions[place].tokens.split()) if place in predictions else [],
                confidence=predictions[place].confidence if place in predictions else 0.0,
                error=errors.get(place, ""),
                is_canonical=is_canonical,
            )


def _prepare(
    spec: ImageSpec, pictures: LabelledPictures, places: range
) -> tuple[dict[int, Tensor], dict[int, str]]:
    """The prepared pictures by place, and what is wrong with the others."""
    prepared: dict[int, Tensor] = {}
    errors: dict[int, str] = {}
    for place in places:
        try:
            prepared[place] = prepare(open_image(pictures.read(place), spec.max_pixels), spec)
        except ImageError as error:
            errors[place] = str(error)
    return prepared, errors


def _write(folder: Path, report: dict[str, Any], scored: list[Scored]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scores.json").write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    lines = ["name\treference\tprediction\tconfidence\tedit_distance\terror"]
    for row in scored:
        edits = metrics.edit_distance(row.prediction, row.reference)
        sides = f"{' '.join(row.reference)}\t{' '.join(row.prediction)}"
        lines.append(f"{row.name}\t{sides}\t{row.confidence:.4f}\t{edits}\t{row.error}")
    (folder / "predictions.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def format_table(report: dict[str, Any]) -> str:
    """The report as lines for a person; all scores in percent, higher is better."""
    lines = [f"{report['set']}: {report['formulas']} formulas, model {report['model']}, beam {report['beam']}"]
    lines += [f"  {name.replace('_', ' '):<30}{value:7.2f}" for name, value in report["scores"].items()]
    lines.append(f"  {report['formulas_per_second']:.1f} formulas/s on {report['threads']} threads")
    for name in ("unreadable_pictures", "labels_not_canonical"):
        if report[name]:
            lines.append(f"  {name.replace('_', ' ')}: {report[name]}")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 if scores were written, 1 with a message if not."""
    parser = ArgumentParser(prog="evaluate.py", description=__doc__)
    parser.add_class_arguments(EvaluateConfig)
    config = EvaluateConfig(**vars(parser.instantiate(parser.parse_args(arguments))))
    try:
        report = evaluate(config)
    except Im2LatexError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(format_table(report))
    print(f"  written to {config.out}: scores.json, predictions.tsv")
    return 0


if __name__ == "__main__":
    sys.exit(main())
