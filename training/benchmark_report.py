"""What a benchmark found, as a table, as JSON and as a chart."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from training.benchmark_arm import Arm, Measured
from training.benchmark_limit import Machine
from training.benchmark_start import Start
from training.timing import PARTS, percentile

REST = "the rest"
PERCENTS = (50, 95, 99)
COLOURS = ("#7a7a7a", "#2a6f97", "#e3b505", "#d17b0f", "#8a5a83", "#b8b8b8")


@dataclass(frozen=True)
class Limit:
    """The least seconds a picture on this machine, with so many threads."""

    machine: Machine
    alone: float
    together: float


@dataclass(frozen=True)
class Report:
    """All that was measured in one run."""

    set: str
    pictures: int
    model: str
    processor: str
    clock: str
    command: str
    commit: str
    start: Start | None
    measured: list[Measured]
    skipped: dict[str, str]
    limits: list[Limit]

    def as_json(self) -> dict[str, Any]:
        """All figures; of the readings themselves only how many agree."""
        rows = [self.row(one) for one in self.measured]
        named = ("set", "pictures", "model", "processor", "clock", "command", "commit")
        return {
            **{name: getattr(self, name) for name in named},
            "start": asdict(self.start) if self.start else None,
            "rows": rows,
            "skipped": self.skipped,
            "limits": [asdict(limit) for limit in self.limits],
            "ratios": self.ratios(),
        }

    def row(self, one: Measured) -> dict[str, Any]:
        """The figures of one way of reading; seconds a picture."""
        count = len(one.seconds)
        mean, written = sum(one.seconds) / count, sum(len(tokens.split()) + 1 for tokens in one.tokens)
        parts = dict(one.parts)
        if parts:
            parts[REST] = max(0.0, mean - sum(parts.values()))
        return {
            "title": one.arm.title,
            **{f"p{percent}": percentile(one.seconds, percent) for percent in PERCENTS},
            "mean": mean,
            "formulas_per_second": count / one.batch_seconds,
            "tokens_per_second_alone": written / sum(one.seconds),
            "tokens_per_second_in_batches": written / one.batch_seconds,
            "peak_megabytes": one.peak_megabytes,
            "same_tokens": self.agreement(one),
            "parts": parts,
        }

    def agreement(self, one: Measured) -> float | None:
        """The share of pictures read as the shipped decoder reads them, token for token; None for a beam."""
        shipped = next((other for other in self.measured if other.arm == Arm(threads=other.arm.threads)), None)
        if shipped is None or one.arm.beam > 1:
            return None
        return sum(a == b for a, b in zip(one.tokens, shipped.tokens, strict=True)) / len(one.tokens)

    def ratios(self) -> dict[str, float]:
        """How many times as long as the shipped decoder others take, and it as the machine's limit; by threads."""
        found = {}
        for one in self.measured:
            shipped = next((other for other in self.measured if other.arm == Arm(threads=one.arm.threads)), None)
            if shipped is not None and one.arm.form == "naive":
                found[f"naive / shipped, alone, {one.arm.threads} threads"] = sum(one.seconds) / sum(shipped.seconds)
                found[f"naive / shipped, in batches, {one.arm.threads} threads"] = (
                    one.batch_seconds / shipped.batch_seconds
                )
            for limit in self.limits:
                if one is shipped and limit.machine.threads == one.arm.threads:
                    found[f"shipped / limit, alone, {one.arm.threads} threads"] = (
                        sum(one.seconds) / len(one.seconds) / limit.alone
                    )
                    found[f"shipped / limit, in batches, {one.arm.threads} threads"] = (
                        one.batch_seconds / len(one.seconds) / limit.together
                    )
        return found


def draw_table(report: Report) -> str:
    """The report as lines of text."""
    lines = [
        f"{report.model} on {report.pictures} pictures of {report.set}; {report.processor}; {report.clock} seconds",
        f"{'milliseconds alone':<44}{'p50':>7}{'p95':>7}{'p99':>7}{'tokens/s':>10} |{'formulas/s':>11}{'tokens/s':>10}"
        f" |{'peak MB':>8}{'same':>8}",
    ]
    for row in map(report.row, report.measured):
        same = "" if row["same_tokens"] is None else f"{100 * row['same_tokens']:.1f} %"
        lines.append(
            f"{row['title']:<44}" + "".join(f"{1000 * row[f'p{percent}']:7.0f}" for percent in PERCENTS)
            + f"{row['tokens_per_second_alone']:10.0f} |{row['formulas_per_second']:11.1f}"
            f"{row['tokens_per_second_in_batches']:10.0f} |{row['peak_megabytes']:8.0f}{same:>8}"
        )  # fmt: skip
    lines += [f"{title:<44} skipped: {reason}" for title, reason in report.skipped.items()]
    for row in map(report.row, report.measured):
        if row["parts"]:
            shares = ", ".join(f"{part} {100 * seconds / row['mean']:.1f} %" for part, seconds in row["parts"].items())
            lines.append(f"{row['title']}: {shares}")
    lines += [describe_limit(limit) for limit in report.limits]
    lines += [f"{name}: {ratio:.1f} times" for name, ratio in report.ratios().items()]
    if report.start:
        lines.append(
            f"cold start: {report.start.seconds:.2f} s ({report.start.cpu_seconds:.2f} s of CPU),"
            f" {report.start.peak_megabytes:.0f} MB at most, median of {report.start.starts}"
        )
    return "\n".join(lines)


def describe_limit(limit: Limit) -> str:
    """The limit, and what it rests on, as a line of text."""
    machine = limit.machine
    return (
        f"limit, {machine.threads} threads: {1000 * limit.alone:.1f} ms alone,"
        f" {1 / limit.together:.0f} formulas/s in batches ({machine.bandwidth / 1e9:.1f} GB/s read,"
        f" {machine.multiply_adds / 1e9:.0f} G multiply-adds/s)"
    )


def draw_chart(report: Report, path: Path) -> None:
    """Bars of the mean milliseconds a picture, alone and in batches, and of the parts of the former where known."""
    from matplotlib.figure import Figure

    rows = [report.row(one) for one in report.measured]
    figure = Figure(figsize=(9, 1.7 + 0.5 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    for place, row in enumerate(rows):
        left = 0.0
        parts = row["parts"] or {REST: row["mean"]}
        for part, colour in zip((*PARTS, REST), COLOURS, strict=True):
            width = 1000 * parts.get(part, 0.0)
            axes.barh(place - 0.2, width, 0.4, left=left, color=colour, label=part if place == 0 else None)
            left += width
        axes.barh(
            place + 0.2, 1000 / row["formulas_per_second"], 0.4, color="#4c9f70", label=None if place else "in batches"
        )
    for limit in report.limits[-1:]:
        for seconds, style, name in ((limit.alone, "--", "limit alone"), (limit.together, ":", "limit in batches")):
            axes.axvline(1000 * seconds, color="black", linestyle=style, linewidth=1, label=name)
    axes.set_yticks(range(len(rows)), [row["title"] for row in rows])
    axes.invert_yaxis()
    axes.set_xlabel(f"milliseconds a picture ({report.clock}); {report.pictures} pictures of {report.set}")
    figure.legend(loc="outside upper center", ncols=4, fontsize="small")
    figure.savefig(path, dpi=120)
