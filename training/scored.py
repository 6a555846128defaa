"""The table predictions.tsv: each labelled picture with what was read in it and how it scores."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from im2latex import metrics
from im2latex.confusions import TokenErrors
from im2latex.image_match import ImageMatch
from im2latex.latex import to_official
from training.labelled import LabelledPictures, to_reference
from training.reading import Reading

PREDICTIONS = "predictions.tsv"
ERRORS = "errors.tsv"
COLUMNS = (
    "name", "reference", "prediction", "confidence", "edit_distance", "edit_score", "exact", "exact_ignoring_spacing",
    "compiles", "image_match", "image_edit_score", "latex", "error",
)  # fmt: skip
COMMONEST = 5  # replacements named for a token


@dataclass(frozen=True)
class Scored:
    """One picture: the tokens it shows and the tokens that were read, both in the official normal form."""

    name: str
    label: str
    """The LaTeX of the set, as it is."""
    reference: list[str]
    prediction: list[str]
    latex: str
    confidence: float
    error: str = ""
    is_canonical: bool = True

    def as_row(self, compiles: bool | None = None, image: ImageMatch | None = None) -> list[str]:
        """The cells of COLUMNS; empty where nothing was measured."""
        pair = ([self.prediction], [self.reference])
        edits = metrics.edit_distance(self.prediction, self.reference)
        return [
            self.name, " ".join(self.reference), " ".join(self.prediction), f"{self.confidence:.4f}", str(edits),
            f"{metrics.edit_score(*pair):.2f}", str(int(metrics.exact_match(*pair) == 100)),
            str(int(metrics.exact_match_ignoring_spacing(*pair) == 100)),
            "" if compiles is None else str(int(compiles)), "" if image is None else str(int(image.is_match)),
            "" if image is None else f"{100 * (1 - image.edits / max(1, image.columns)):.2f}", self.latex, self.error,
        ]  # fmt: skip


def join_readings(pictures: LabelledPictures, readings: Mapping[int, Reading], references: str) -> list[Scored]:
    """Every picture of the set with what was read in it."""
    scored = []
    for place, (name, label) in enumerate(zip(pictures.names, pictures.formulas, strict=True)):
        reference, is_canonical = to_reference(label, references)
        found = readings[place]
        prediction = to_official(found.tokens.split())
        scored.append(
            Scored(name, label, reference, prediction, found.latex, found.confidence, found.error, is_canonical)
        )
    return scored


def write_table(file: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Tab-separated lines under a header; cells hold neither tabs nor line ends."""
    lines = ["\t".join(cells) for cells in (header, *rows)]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_table(file: Path) -> list[dict[str, str]]:
    """The rows that `write_table` wrote, each by the names of its header."""
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))


def write_errors(file: Path, errors: Sequence[TokenErrors]) -> None:
    """The table of tokens with their errors, most errors first."""
    header = ["token", "occurrences", "errors", "replaced", "left_out", "added", "read_as"]
    rows = [
        [row.token, *map(str, (row.occurrences, row.errors, row.replaced, row.left_out, row.added)), _read_as(row)]
        for row in errors
    ]
    write_table(file, header, rows)


def format_errors(errors: Sequence[TokenErrors], count: int) -> str:
    """The `count` tokens with most errors, as lines for a person."""
    lines = [f"  {'token':<16}{'occurs':>8}{'errors':>8}{'replaced':>10}{'left out':>10}{'added':>8}  read as"]
    for row in errors[:count]:
        counts = f"{row.occurrences:8}{row.errors:8}{row.replaced:10}{row.left_out:10}{row.added:8}"
        lines.append(f"  {row.token:<16}{counts}  {_read_as(row)}")
    return "\n".join(lines)


def _read_as(row: TokenErrors) -> str:
    return "   ".join(f"{token} ({count})" for token, count in row.read_as.most_common(COMMONEST))
