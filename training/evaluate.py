"""Score a bundle on labelled pictures: a table, scores.json, and predictions.tsv with every formula.

python training/evaluate.py --images images.zip --labels labels.tsv          (a folder or zip, name<TAB>latex lines)
python training/evaluate.py --data data/packed/val --beam 5 --out runs/beam5 (a packed data set)

`--image_match true` renders references and predictions and compares the pictures, `--gallery 10` shows the ten worst,
typical and best of them on a page; both need LaTeX. Interrupted, the same command goes on where it was. errors.tsv
counts the errors by token.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from im2latex import metrics
from im2latex.bleu import all_conventions
from im2latex.checker import BEAM, Checker
from im2latex.confusions import TokenErrors, count_confusions
from im2latex.errors import ConfigError
from im2latex.predictor import Predictor
from im2latex.rendering.tex import require_latex
from training.command import run_command
from training.gallery import GalleryConfig, write_page
from training.labelled import LabelledSet
from training.provenance import current_command
from training.reading import Readings, name_run, read_pictures
from training.rendered_pairs import Comparison, compare_rendered, comparison_scores
from training.scored import (
    COLUMNS,
    ERRORS,
    PREDICTIONS,
    Scored,
    format_errors,
    join_readings,
    write_errors,
    write_table,
)

SCORES = "scores.json"
UNFINISHED = "unfinished.jsonl"
"""What has been read so far; gone when the scores are written."""
WORST = 20  # tokens printed


@dataclass(frozen=True)
class EvaluateConfig(LabelledSet):
    """What to score, and where to write the scores."""

    bundle: str | None = None
    """Model file; None: the one that ships."""
    beam: int = 1
    check: bool = False
    """Take the reading that, rendered, looks like the picture, with a beam of 5 or wider: `im2latex.checker`."""
    image_match: bool = False
    """Also compare rendered pictures, and count what compiles."""
    gallery: int = 0
    """Formulas of each kind, worst, typical and best, on gallery.html in `out`; 0: no page."""
    workers: int = 2
    """Processes that render."""
    out: str = "runs/scores"
    """Folder for scores.json, predictions.tsv and errors.tsv."""
    threads: int = 0
    """CPU threads for the model; 0: as many as torch takes."""


@dataclass(frozen=True)
class Evaluation:
    """What scores.json holds, and the errors of each token."""

    report: dict[str, Any]
    errors: list[TokenErrors]


def evaluate(config: EvaluateConfig) -> Evaluation:
    """Read every picture, write all files, and return the scores; raises ConfigError for numbers that mean nothing."""
    for flag, least in (("beam", 1), ("gallery", 0), ("workers", 1), ("threads", 0)):
        if getattr(config, flag) < least:
            raise ConfigError(f"--{flag} {getattr(config, flag)}, wanted at least {least}")
    if config.threads:
        torch.set_num_threads(config.threads)
    if config.image_match or config.gallery:
        require_latex()
    pictures = config.open()
    predictor = (Checker if config.check else Predictor).load(config.bundle)
    predictor.warm_up()
    folder = Path(config.out)
    run = name_run(config.bundle, pictures, f"{config.beam}{' checked' * config.check}")
    readings = read_pictures(predictor, pictures, config.beam, folder / UNFINISHED, run)
    scored = join_readings(pictures, readings.by_place, config.references)
    comparisons = _compare(scored, config)
    predictions, references = [row.prediction for row in scored], [row.reference for row in scored]
    evaluation = Evaluation(
        report=describe(config, predictor.name, readings, scored, comparisons),
        errors=count_confusions(predictions, references),
    )
    _write(folder, evaluation, scored, comparisons)
    if config.gallery:
        write_page(GalleryConfig(config.out, str(folder / "gallery.html"), config.gallery, config.workers))
    (folder / UNFINISHED).unlink()
    return evaluation


def describe(
    config: EvaluateConfig, model: str, readings: Readings, scored: Sequence[Scored], comparisons: Sequence[Comparison]
) -> dict[str, Any]:
    """What scores.json holds."""
    predictions, references = [row.prediction for row in scored], [row.reference for row in scored]
    scores = score(scored)
    if comparisons:
        image_scores = comparison_scores(comparisons, [not row.error for row in scored])
        scores |= {name: round(value, 2) for name, value in image_scores.items()}
    return {
        "set": config.title,
        "model": model,
        "formulas": len(scored),
        "unreadable_pictures": sum(bool(row.error) for row in scored),
        "labels_not_canonical": sum(not row.is_canonical for row in scored),
        "labels_without_picture": sum(comparison.match is None for comparison in comparisons),
        "references": config.references,
        "beam": max(config.beam, BEAM) if config.check else config.beam,
        "checked": config.check,
        "scores": scores,
        "bleu_conventions": all_conventions(predictions, references),
        "seconds": round(readings.seconds, 2),
        "formulas_per_second": round(len(scored) / readings.seconds, 2),
        "threads": torch.get_num_threads(),
        "config": asdict(config),
        "command": current_command(),
        "commit": " then ".join(readings.commits),
    }


def score(scored: Sequence[Scored]) -> dict[str, float]:
    """The scores over the corpus, in percent, rounded to 0.01; an unreadable picture counts as nothing read."""
    predictions, references = [row.prediction for row in scored], [row.reference for row in scored]
    scores = {
        "bleu": metrics.corpus_bleu(predictions, references),
        "edit_score": metrics.edit_score(predictions, references),
        "edit_score_ignoring_spacing": metrics.edit_score_ignoring_spacing(predictions, references),
        "exact_match": metrics.exact_match(predictions, references),
        "exact_match_ignoring_spacing": metrics.exact_match_ignoring_spacing(predictions, references),
    }
    return {name: round(value, 2) for name, value in scores.items()}


def _compare(scored: Sequence[Scored], config: EvaluateConfig) -> list[Comparison]:
    """Each prediction beside its reference, rendered; nothing when that was not asked for."""
    if not config.image_match:
        return []
    return list(compare_rendered([row.label for row in scored], [row.latex for row in scored], config.workers))


def _write(
    folder: Path, evaluation: Evaluation, scored: Sequence[Scored], comparisons: Sequence[Comparison]
) -> None:
    rows = [row.as_row() for row in scored]
    if comparisons:
        pairs = zip(scored, comparisons, strict=True)
        rows = [row.as_row(None if row.error else comparison.compiles, comparison.match) for row, comparison in pairs]
    write_table(folder / PREDICTIONS, COLUMNS, rows)
    write_errors(folder / ERRORS, evaluation.errors)
    report = json.dumps(evaluation.report, indent=2, ensure_ascii=False)
    (folder / SCORES).write_text(report + "\n", encoding="utf-8")


def format_table(report: dict[str, Any]) -> str:
    """The report as lines for a person; all scores in percent, higher is better."""
    lines = [f"{report['set']}: {report['formulas']} formulas, model {report['model']}, beam {report['beam']}"]
    lines[0] += ", checked by rendering" if report["checked"] else ""
    lines += [f"  {name.replace('_', ' '):<46}{value:7.2f}" for name, value in report["scores"].items()]
    lines.append(f"  {'BLEU by convention, and ignoring spacing':<46}")
    for name, row in report["bleu_conventions"].items():
        lines.append(f"    {name:<15}{row['used_by']:<40}{row['bleu']:7.2f}{row['bleu_ignoring_spacing']:7.2f}")
    lines.append(f"  {report['formulas_per_second']:.1f} formulas/s on {report['threads']} threads")
    for name in ("unreadable_pictures", "labels_not_canonical", "labels_without_picture"):
        if report[name]:
            lines.append(f"  {name.replace('_', ' ')}: {report[name]}")
    return "\n".join(lines)


def _run(config: EvaluateConfig) -> str:
    evaluation = evaluate(config)
    parts = [format_table(evaluation.report), f"  tokens with most errors, all of them in {ERRORS}:"]
    return "\n".join([*parts, format_errors(evaluation.errors, WORST), f"  written to {config.out}"])


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 if scores were written, 1 with a message if not."""
    return run_command(EvaluateConfig, _run, arguments, name="evaluate.py", usage=__doc__)


if __name__ == "__main__":
    sys.exit(main())
