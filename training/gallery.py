"""Show the worst, typical and best predictions of an evaluation on one page, with every confused token marked.

python training/evaluate.py --data data/packed/val --out runs/scores --gallery 10     (scores, and the page)
python training/gallery.py --scores runs/scores --out gallery.html                   (of what was scored before)

The page is one file: pictures are inside, nothing is loaded from elsewhere. Renderings need LaTeX.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from im2latex.errors import ConfigError, ImageError
from im2latex.images import open_image, to_grey
from im2latex.rendering.renderer import Look, render_formulas
from training.command import run_command
from training.gallery_parts import figure, mark_differences, missing_figure
from training.labelled import LabelledSet
from training.scored import PREDICTIONS, read_table

PAGE = Path(__file__).with_name("gallery_page.html")
SHOWN_SCORES = ("bleu", "edit_score", "exact_match", "exact_match_ignoring_spacing", "image_match", "compile_rate")

Row = dict[str, str]


@dataclass(frozen=True)
class GalleryConfig:
    """Which evaluation to show, and how much of it."""

    scores: str = "runs/scores"
    """Folder that training/evaluate.py wrote."""
    out: str = "gallery.html"
    count: int = 10
    """Formulas of each kind."""
    workers: int = 1
    """Processes that render."""


@dataclass(frozen=True)
class Shown:
    """A prediction with the pictures that go beside it, as HTML."""

    row: Row
    figures: tuple[str, str, str]


def choose(rows: Sequence[Row], count: int) -> dict[str, list[Row]]:
    """Worst: least edit score, then most edits. Typical: those around the median. Best: the longest read without error.

    No formula is shown twice: a small set is shown worst first, and may have no others.
    """
    ranked = sorted(rows, key=lambda row: (float(row["edit_score"]), -int(row["edit_distance"])))
    worst, rest = ranked[:count], ranked[count:]
    middle = max(0, min(len(ranked) // 2 - count // 2 - len(worst), len(rest) - count))
    typical, others = rest[middle : middle + count], rest[:middle] + rest[middle + count :]
    others.sort(key=lambda row: (-float(row["edit_score"]), -len(row["reference"])))
    return {"Worst": worst, "Typical": typical, "Best": others[:count]}


def make_page(config: GalleryConfig) -> str:
    """The page as HTML; ConfigError when the folder holds no evaluation."""
    folder = Path(config.scores)
    try:
        report = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
        rows = read_table(folder / PREDICTIONS)
        names = {field.name for field in fields(LabelledSet)}
        source = LabelledSet(**{key: value for key, value in report["config"].items() if key in names})
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(f"--scores {folder} holds no evaluation of training/evaluate.py: {error!r}") from error
    chosen = choose(rows, config.count)
    shown = list(_draw([row for part in chosen.values() for row in part], source, config.workers))
    sections, start = [], 0
    for title, part in chosen.items():
        sections.append(_section(title, shown[start : start + len(part)], len(rows)))
        start += len(part)
    scores = [(name, report["scores"][name]) for name in SHOWN_SCORES if name in report["scores"]]
    return Template(PAGE.read_text(encoding="utf-8")).substitute(
        title=escape(f"{report['set']}, read by {report['model']}"),
        subtitle=escape(f"{report['formulas']} formulas, beam {report['beam']}, commit {report['commit']}"),
        scores="".join(f"<div><dt>{name.replace('_', ' ')}</dt><dd>{value:.2f}</dd></div>" for name, value in scores),
        sections="\n".join(sections),
    )


def _draw(rows: Sequence[Row], source: LabelledSet, workers: int) -> Iterator[Shown]:
    """Each row with its picture, and its reference and prediction rendered."""
    pictures = source.open()
    places = {name: place for place, name in enumerate(pictures.names)}
    formulas = [formula for row in rows for formula in (row["reference"], row["latex"])]
    rendered = iter(list(render_formulas(formulas, Look(), workers)))
    for row in rows:
        reference, prediction = (
            figure(one.image, caption) if one.image is not None else missing_figure(one.error or "", caption)
            for one, caption in ((next(rendered), "reference, rendered"), (next(rendered), "prediction, rendered"))
        )
        try:
            picture = figure(to_grey(open_image(pictures.read(places[row["name"]]))), "picture")
        except ImageError as error:
            picture = missing_figure(str(error), "picture")
        yield Shown(row, (picture, reference, prediction))


def _section(title: str, shown: Sequence[Shown], count: int) -> str:
    cards = "\n".join(map(_card, shown))
    return f"<section><h2>{title} <small>{len(shown)} of {count}</small></h2>\n{cards}</section>" if shown else ""


def _card(shown: Shown) -> str:
    row = shown.row
    reference, prediction = mark_differences(row["reference"].split(), row["prediction"].split())
    confidence = float(row["confidence"])
    facts: list[Any] = [
        f"<b>edit score {float(row['edit_score']):.1f}</b>",
        f"{row['edit_distance']} edits",
        f'confidence <meter value="{confidence:.3f}"></meter> {confidence:.2f}',
        *(["same picture" if row["image_match"] == "1" else "another picture"] if row["image_match"] else []),
        *(["does not compile"] if row["compiles"] == "0" else []),
        f'<span class="soft">{escape(row["name"])} {escape(row["error"])}</span>',
    ]
    return (
        f"<article><header>{' '.join(f'<span>{fact}</span>' for fact in facts)}</header>"
        f'<div class="pictures">{"".join(shown.figures)}</div>'
        f'<div class="tokens"><span>reference</span><p>{reference}</p><span>prediction</span><p>{prediction}</p></div>'
        "</article>"
    )


def write_page(config: GalleryConfig) -> str:
    """Write the page; says where, and how large it is."""
    page = make_page(config)
    Path(config.out).parent.mkdir(parents=True, exist_ok=True)
    Path(config.out).write_text(page, encoding="utf-8")
    return f"{config.out}: {len(page.encode()) / 1e6:.2f} MB"


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 if the page was written, 1 with a message if not."""
    return run_command(GalleryConfig, write_page, arguments, name="gallery.py", usage=__doc__)


if __name__ == "__main__":
    sys.exit(main())
