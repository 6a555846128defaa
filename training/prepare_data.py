"""Command: turn a formula list, or the official IM2LATEX-100K, into a packed data set to train on."""

import os
import sys
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

import jsonargparse

from im2latex.data.download import download_official
from im2latex.data.formulas import Formula, read_formulas
from im2latex.data.official import is_official, pack_official
from im2latex.data.pack import PackConfig, Report
from im2latex.data.prepare import prepare
from im2latex.data.render import Look
from im2latex.data.sources import SPLITS, draw_split
from im2latex.errors import ConfigError, Im2LatexError

SHOWN_REASONS = 10


@dataclass(frozen=True)
class PrepareConfig:
    """What to make a data set from, and where."""

    out: str
    """Folder of the packed data set; running the same command again goes on where it stopped."""
    formulas: str | None = None
    """A .txt file, a formula a line, or a .tsv with a `formula` column; either may be .xz."""
    official: str | None = None
    """A folder in the official layout (formula_images/ and the .lst files) to pack instead."""
    download: bool = False
    """Fetch the official IM2LATEX-100K into `out`/official and pack that instead."""
    only: str = "*"
    """Keep formulas whose source fits this pattern, such as 'hep-th/*/display'."""
    skip: int = 0
    """Formulas passed over at the start of those that fit."""
    limit: int | None = None
    """Formulas taken after that; None: all."""
    unique: bool = True
    """Keep the first of formulas that are written alike."""
    held_out: float = 0.0
    """Share of the formulas to put into `out`/val and, once more, into `out`/test; the rest goes into
    `out`/train. 0: one packed set, in `out` itself."""
    seed: int = 0
    """Which formulas are held out."""
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    """Processes that draw pictures."""
    look: Look = field(default_factory=Look)
    pack: PackConfig = field(default_factory=PackConfig)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; 0 if a data set was made, 1 with a message if not."""
    parser = jsonargparse.ArgumentParser(prog="prepare_data.py", description=__doc__)
    parser.add_class_arguments(PrepareConfig, skip={"download"})
    parser.add_argument("--download", action="store_true", help="fetch the official IM2LATEX-100K instead")
    given = parser.instantiate(parser.parse_args(arguments))
    try:
        reports = run(PrepareConfig(**vars(given)))
    except Im2LatexError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for folder, report in reports.items():
        _print_report(folder, report)
    return 0


def run(config: PrepareConfig) -> dict[str, Report]:
    """Makes the data set; a report for every packed folder. Raises ConfigError unless one source is named."""
    out = Path(config.out)
    if [config.formulas is not None, config.official is not None, config.download].count(True) != 1:
        raise ConfigError("name one source: --formulas FILE, --official FOLDER or --download true")
    if config.formulas is not None:
        return {
            str(folder): prepare(part, folder, config.look, workers=config.workers, config=config.pack)
            for folder, part in _split(_select(config), config).items()
        }
    folder = out / "official" if config.official is None else Path(config.official)
    if config.download:
        download_official(folder)
    if not is_official(folder):
        raise ConfigError(f"{folder} has not the official layout: formula_images/, four im2latex_*.lst files")
    reports = pack_official(folder, out, workers=config.workers, config=config.pack)
    return {str(out / split): report for split, report in reports.items()}


def _select(config: PrepareConfig) -> list[Formula]:
    assert config.formulas is not None
    stop = None if config.limit is None else config.skip + config.limit
    kept: dict[object, Formula] = {}
    for place, formula in enumerate(read_formulas(config.formulas)):
        if len(kept) == stop:
            break
        if fnmatchcase(formula.source, config.only):
            kept.setdefault(formula.formula if config.unique else place, formula)
    return list(kept.values())[config.skip :]


def _split(formulas: list[Formula], config: PrepareConfig) -> dict[Path, list[Formula]]:
    if config.held_out <= 0:
        return {Path(config.out): formulas}
    parts: dict[Path, list[Formula]] = {Path(config.out) / split: [] for split in SPLITS}
    for formula in formulas:
        parts[Path(config.out) / draw_split(formula.formula, config.held_out, config.seed)].append(formula)
    return parts


def _print_report(folder: str, report: Report) -> None:
    print(f"{folder}: {report.packed} of {report.total} formulas packed")
    for reason, count in list(report.failures.items())[:SHOWN_REASONS]:
        print(f"  {count:7d}  {reason}")
    if len(report.failures) > SHOWN_REASONS:
        print(f"  and {len(report.failures) - SHOWN_REASONS} other reasons: see failures.tsv")


if __name__ == "__main__":
    sys.exit(main())
