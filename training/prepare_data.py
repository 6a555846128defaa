"""Command: turn a formula list, labelled pictures, or the official IM2LATEX-100K, into a packed data set."""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

import jsonargparse

from im2latex.data.download import download_official
from im2latex.data.formulas import Formula, read_formulas
from im2latex.data.official import is_official, pack_official
from im2latex.data.pack import Drawn, PackConfig, Readable, Report, pack
from im2latex.data.prepare import prepare
from im2latex.data.sources import SPLITS, draw_split
from im2latex.errors import ConfigError, DataError, Im2LatexError, ImageError
from im2latex.images import open_image, to_grey
from im2latex.rendering.renderer import Look
from training.labelled import open_labelled

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
    pictures: str | None = None
    """A folder or zip of pictures to pack as they are, instead; `labels` says what they show."""
    labels: str | None = None
    """For `pictures`: lines of name, tab, formula."""
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
    look_share: float = 1.0
    """Share of the formulas drawn in `look`; the rest is drawn in the other looks of im2latex/data/looks.py."""
    pack: PackConfig = field(default_factory=PackConfig)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; 0 if a data set was made, 1 with a message if not."""
    parser = jsonargparse.ArgumentParser(prog="prepare_data.py", description=__doc__)
    parser.add_class_arguments(PrepareConfig, skip={"download"})
    parser.add_argument("--download", action="store_true", help="fetch the official IM2LATEX-100K instead")
    given = parser.instantiate(parser.parse_args(arguments))
    try:
        reports = run(PrepareConfig(**vars(given)))
    except (Im2LatexError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for folder, report in reports.items():
        _print_report(folder, report)
    return 0


def run(config: PrepareConfig) -> dict[str, Report]:
    """Makes the data set; a report for every packed folder.

    Raises ConfigError unless one source is named and the numbers mean something, DataError when nothing is chosen.
    """
    _check_numbers(config)
    out = Path(config.out)
    sources = [config.formulas, config.official, config.pictures, config.download or None]
    if len(sources) - sources.count(None) != 1 or (config.pictures is None) != (config.labels is None):
        wanted = "--formulas FILE, --official FOLDER, --download, or --pictures ZIP with --labels TABLE"
        raise ConfigError(f"name one source: {wanted}")
    if config.formulas is not None:
        return {
            str(folder): prepare(
                part, folder, config.look, look_share=config.look_share, workers=config.workers, config=config.pack
            )
            for folder, part in _split(_select(config), config).items()
        }
    if config.pictures is not None and config.labels is not None:
        return {config.out: _pack_pictures(Path(config.pictures), Path(config.labels), config)}
    folder = out / "official" if config.official is None else Path(config.official)
    if config.download:
        download_official(folder)
    if not is_official(folder):
        raise ConfigError(f"{folder} has not the official layout: formula_images/, four im2latex_*.lst files")
    reports = pack_official(folder, out, workers=config.workers, config=config.pack)
    return {str(out / split): report for split, report in reports.items()}


def _check_numbers(config: PrepareConfig) -> None:
    for flag, least in (("skip", 0), ("limit", 1), ("workers", 1)):
        if (value := getattr(config, flag)) is not None and value < least:
            raise ConfigError(f"--{flag} {value}, wanted at least {least}")
    if not 0 <= config.held_out < 0.5:
        raise ConfigError(f"--held_out {config.held_out}, wanted at least 0 and less than 0.5: it is taken twice")


def _pack_pictures(pictures: Path, labels: Path, config: PrepareConfig) -> Report:
    """Pictures as they are, in grey; the source of each is its name."""
    labelled = open_labelled(pictures, labels)
    rows = {name: row for row, name in enumerate(labelled.names)}

    def draw(part: list[Readable]) -> Iterator[Drawn]:
        for formula, _ in part:
            try:
                yield Drawn(to_grey(open_image(labelled.read(rows[formula.source]))), None)
            except ImageError as error:
                yield Drawn(None, str(error))

    formulas = [Formula(formula, name) for name, formula in zip(labelled.names, labelled.formulas, strict=True)]
    return pack(formulas, Path(config.out), draw, {"pictures": pictures.name}, config.pack)


def _select(config: PrepareConfig) -> list[Formula]:
    assert config.formulas is not None
    stop = None if config.limit is None else config.skip + config.limit
    kept: dict[object, Formula] = {}
    for place, formula in enumerate(read_formulas(config.formulas)):
        if len(kept) == stop:
            break
        if fnmatchcase(formula.source, config.only):
            kept.setdefault(formula.formula if config.unique else place, formula)
    if len(kept) <= config.skip:
        fitting = f"{len(kept)} formulas that fit --only {config.only!r}, of which --skip passes over {config.skip}"
        raise DataError(f"nothing to pack: {config.formulas} holds {fitting}")
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
