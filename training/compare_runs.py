"""Compare runs: what differs in their configuration, their scores side by side, their curves over each other.

python training/compare_runs.py runs/first runs/second --out comparison.html

A run is a folder of training/run_experiment.py. Scores of training/evaluate.py that lie in it (scores.json, in it or
one folder below) are shown beside those of its validation. Without --out, the tables are printed and no page written.
"""

import io
import json
import math
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from itertools import count, cycle, groupby
from pathlib import Path
from zlib import crc32

import yaml
from jsonargparse import ArgumentParser
from matplotlib import rc_context
from matplotlib.figure import Figure

from im2latex.curves import logs_of, read_curves
from im2latex.errors import DataError, Im2LatexError

LOWER_IS_BETTER = "loss"
PLOTTED = ("train/loss", "val/loss", "val/bleu", "val/edit_score", "val/exact_match")
# Okabe and Ito 2008; with the styles, lines can be told apart without any colour
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
STYLES = ("-", "--", ":", "-.")
UNIMPORTANT = ("name", "out", "resume")
"""Fields that differ between all runs and say nothing."""
COPY = "experiment"
"""The configuration once more, as checkpoints keep it."""
LONG_LIST = 12
STYLE = """body { font: 1rem/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; }
table { border-collapse: collapse; } th, td { padding: .2rem .8rem; border-bottom: 1px solid #ccc; text-align: left; }
td:not(:first-child) { font-variant-numeric: tabular-nums; } svg { max-width: 100%; height: auto; }"""

Table = list[list[str]]


@dataclass(frozen=True)
class Run:
    """One run, as its folder tells it."""

    name: str
    settings: dict[str, str]
    """Its configuration, one line a value: `optimizer.learning_rate` and so on; `A then B` if it was changed."""
    curves: dict[str, list[tuple[int, float]]]
    scores: dict[str, float]
    """Of training/evaluate.py, `SET: METRIC`."""


class RunLoader(yaml.SafeLoader):
    """YAML with the tuples that Lightning writes, and nothing else of Python."""


    def construct_tuple(self, node: yaml.SequenceNode) -> list[object]:
        """A tuple as a list."""
        return list(self.construct_sequence(node, deep=True))


RunLoader.add_constructor("tag:yaml.org,2002:python/tuple", RunLoader.construct_tuple)


def read_run(folder: Path) -> Run:
    """Read the configurations and all curves of a run; DataError when the folder holds none."""
    files = logs_of(folder, "hparams.yaml")
    if not files:
        raise DataError(f"{folder} is no run of training/run_experiment.py: it has no logs/hparams.yaml")
    try:
        settings = join_settings([read_settings(path) for path in files])
        return Run(folder.resolve().name, settings, read_curves(folder), read_scores(folder))
    except (yaml.YAMLError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())  # YAML's take several lines
        raise DataError(f"{folder} cannot be read: {reason}") from error


def read_settings(path: Path) -> dict[str, str]:
    """The configuration in a file, one line a value."""
    found = yaml.load(path.read_text(encoding="utf-8"), RunLoader) or {}
    if not isinstance(found, dict):
        raise ValueError(f"{path.name} holds no settings")
    return flatten({name: found[name] for name in found if name != COPY})


def join_settings(resumptions: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """The settings of a run and its resumptions, `A then B` where they changed; `-` where it is unknown."""
    names = dict.fromkeys(name for settings in resumptions for name in settings)
    values = {name: [settings.get(name, "-") for settings in resumptions] for name in names}
    return {name: " then ".join(value for value, _ in groupby(each)) for name, each in values.items()}


def read_scores(folder: Path) -> dict[str, float]:
    """All scores of training/evaluate.py in a folder; two evaluations alike in set and beam tell their subfolders."""
    reports: list[tuple[str, str, Mapping[str, float]]] = []
    for path in sorted([*folder.glob("scores.json"), *folder.glob("*/scores.json")]):
        report = json.loads(path.read_text(encoding="utf-8"))
        beam = f", beam {report['beam']}" if report.get("beam", 1) > 1 else ""
        where = f" ({path.parent.name})" if path.parent != folder else ""
        reports.append((f"{report['set']}{beam}", where, report["scores"]))
    often = Counter(title for title, _, _ in reports)
    return {
        f"{title}{where if often[title] > 1 else ''}: {name}": float(value)
        for title, where, scores in reports
        for name, value in scores.items()
    }


def tell_apart(folders: Sequence[Path]) -> list[str]:
    """The shortest ends of the paths that differ wherever the paths do."""
    paths = [folder.resolve() for folder in folders]
    ends = (["/".join(path.parts[-length:]) for path in paths] for length in count(1))
    return next(names for names in ends if len(set(names)) == len(set(paths)))


def flatten(settings: Mapping[str, object], before: str = "") -> dict[str, str]:
    """Nested settings as one line a value, in the order of flags."""
    flat: dict[str, str] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{before}{name}.")
        else:
            flat[before + name] = in_short(value)
    return flat


def in_short(value: object) -> str:
    """A value as it is shown and compared; a long list, as the vocabulary is, by its length and checksum."""
    if isinstance(value, list) and len(value) > LONG_LIST:
        return f"{len(value)} values, {crc32(repr(value).encode()):08x}"
    return "" if value is None else str(value)


def differing_settings(runs: Sequence[Run]) -> Table:
    """The settings in which at least two runs differ; `-` where a run does not know one."""
    names = dict.fromkeys(name for run in runs for name in run.settings if name not in UNIMPORTANT)
    rows = [[name, *(run.settings.get(name, "-") for run in runs)] for name in names]
    return [["setting", *(run.name for run in runs)], *(row for row in rows if len(set(row[1:])) > 1)]


def scores_side_by_side(runs: Sequence[Run]) -> Table:
    """The best of each validation curve and the last test, with their steps, then evaluations; first, steps made."""
    logged = dict.fromkeys(name for run in runs for name in sorted(run.curves))
    validated, tested = ([name for name in logged if name.startswith(split)] for split in ("val/", "test/"))
    scored = dict.fromkeys(name for run in runs for name in run.scores)
    return [
        ["", *(run.name for run in runs)],
        ["steps", *(str(max((points[-1][0] for points in run.curves.values()), default=0)) for run in runs)],
        *([f"best {name}", *(best_of(run.curves.get(name, []), name) for run in runs)] for name in validated),
        *([f"last {name}", *(last_of(run.curves.get(name, [])) for run in runs)] for name in tested),
        *([name, *(f"{run.scores[name]:.2f}" if name in run.scores else "-" for run in runs)] for name in scored),
    ]


def best_of(points: Sequence[tuple[int, float]], name: str) -> str:
    """The best value of a curve and the step it was reached at; losses are best when low."""
    sign = -1 if name.endswith(LOWER_IS_BETTER) else 1
    finite = [point for point in points if math.isfinite(point[1])]
    return last_of(sorted(finite, key=lambda point: (sign * point[1], -point[0])))


def last_of(points: Sequence[tuple[int, float]]) -> str:
    """The last value and its step."""
    return f"{points[-1][1]:.4g} ({points[-1][0]})" if points else "-"


def as_text(table: Table) -> str:
    """A table for the terminal."""
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in table)
    return "\n".join(lines)


def as_html(table: Table) -> str:
    """A table for the page."""
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in table[0])
    rows = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in table[1:])
    return f"<table><thead><tr>{head}</tr></thead>" + "".join(f"<tr>{row}</tr>" for row in rows) + "</table>"


def draw_curves(runs: Sequence[Run]) -> str:
    """All runs over each other, a diagram for each value that any of them logged, as SVG."""
    names = [name for name in PLOTTED if any(name in run.curves for run in runs)]
    if not names:
        return "<p>No run has logged anything yet.</p>"
    figure = Figure(figsize=(11, 3.2 * -(-len(names) // 2)), layout="constrained")
    for axes, name in zip(figure.subplots(-(-len(names) // 2), 2, squeeze=False).flat, [*names, None], strict=False):
        axes.set_visible(name is not None)
        for run, colour, style in zip(runs, cycle(COLOURS), cycle(STYLES), strict=False):
            if name in run.curves:
                axes.plot(*zip(*run.curves[name], strict=True), style, color=colour, label=run.name, marker=".")
        axes.set(title=name or "", xlabel="step", ylabel="nats a token" if "loss" in (name or "") else "%")
        if name is not None:
            axes.legend()
    file = io.StringIO()
    with rc_context({"svg.hashsalt": "im2latex"}):  # the same runs give the same page
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()[file.getvalue().index("<svg") :]


def write_page(runs: Sequence[Run]) -> str:
    """The comparison as one HTML file."""
    title = f"Runs: {escape(', '.join(run.name for run in runs))}"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
        f"<h1>{title}</h1><h2>What differs</h2>{as_html(differing_settings(runs))}"
        f"<h2>Scores</h2>{as_html(scores_side_by_side(runs))}<h2>Curves</h2>{draw_curves(runs)}</html>\n"
    )


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0, or 1 with a message when a folder holds no run."""
    parser = ArgumentParser(prog="compare_runs.py", description=__doc__)
    parser.add_argument("runs", metavar="RUN", nargs="+", help="folders of training/run_experiment.py")
    parser.add_argument("--out", metavar="F", help="also write a page (.html)")
    parsed = parser.parse_args(arguments)
    try:
        folders = [Path(folder) for folder in parsed.runs]
        names = tell_apart(folders)
        runs = [replace(read_run(folder), name=name) for folder, name in zip(folders, names, strict=True)]
    except Im2LatexError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(as_text(differing_settings(runs)), end="\n\n")
    print(as_text(scores_side_by_side(runs)))
    if parsed.out:
        Path(parsed.out).parent.mkdir(parents=True, exist_ok=True)
        Path(parsed.out).write_text(write_page(runs), encoding="utf-8")
        print(f"\n{parsed.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
