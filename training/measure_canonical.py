"""Command: how often canonicalize gives the official normal form, how fast, and why not where it does not."""

import lzma
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import jsonargparse

from im2latex.errors import FormulaError
from im2latex.latex import canonicalize, to_official

REASONS = (
    ("official form loses the index of a root", re.compile(r"\[object Object\]")),
    ("official form spells a command letter by letter inside \\mathrm", re.compile(r"\\ (?:[a-zA-Z] ){2}")),
    ("official form puts the rows of \\substack on one line", re.compile(r"\\substack .*\\,")),
    ("official form has \\operatorname * where a function has one token", re.compile(r"\\operatorname \*")),
    ("official form has only the name of a command as script", re.compile(r"[_^] \{ \\[a-zA-Z]+ \} \{")),
)
"""What in the official form tells why ours is another, the first that fits."""


def read_rows(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the raw formula and its official form, columns 4 and 5, of the rows that have both."""
    with lzma.open(path, "rt", encoding="utf-8", newline="\n") as stream:
        for line in stream:
            cells = line.rstrip("\n").split("\t")
            if len(cells) > 4 and cells[4]:
                yield cells[3], cells[4]


def reason_for(raw: str, official: list[str], ours: list[str]) -> str:
    """Return in words why our form is not the official one."""
    text = " ".join(official)
    for reason, sign in REASONS:
        if sign.search(text):
            return reason
    if official.count(r"\prime") < ours.count(r"\prime"):
        return "official form loses a prime before a power, or leaves ' as it is"
    if r"\%" in raw or r"\$" in raw:
        return "official form cuts the formula at \\%, or drops \\$"
    if [token for token in official if token not in "{}"] == [token for token in ours if token not in "{}"]:
        return "only braces differ: official form has several spellings, as of \\overline x and {\\rm{x}}"
    return "other"


def main(arguments: list[str] | None = None) -> int:
    """Run the command and print the table."""
    parser = jsonargparse.ArgumentParser(prog="measure_canonical.py", description=__doc__)
    parser.add_argument(
        "--formulas", type=Path, required=True, help=".tsv.xz with raw and official form as columns 4, 5"
    )
    parser.add_argument("--limit", type=int, default=None, help="rows to read; all if left out")
    given = parser.parse_args(arguments)
    rows = list(islice(read_rows(given.formulas), given.limit))
    start = time.process_time()
    ours = [_canonical(raw) for raw, _ in rows]
    seconds = time.process_time() - start
    reasons: Counter[str] = Counter()
    for (raw, official), tokens in zip(rows, ours, strict=True):
        if tokens is None:
            reasons["refused: TeX would not take it as it stands either"] += 1
        elif to_official(tokens) != official.split():
            reasons[reason_for(raw, official.split(), to_official(tokens))] += 1
    unstable = sum(tokens is not None and _canonical(" ".join(tokens)) != tokens for tokens in ours)
    print(f"equal to the official form: {1 - reasons.total() / len(rows):.2%} of {len(rows):,} formulas")
    print(f"changed by doing it twice: {unstable:,}")
    print(f"formulas per second on one core: {len(rows) / seconds:,.0f}")
    for reason, count in reasons.most_common():
        print(f"{count:8,}  {reason}")
    return 0


def _canonical(formula: str) -> list[str] | None:
    try:
        return canonicalize(formula)
    except FormulaError:
        return None


if __name__ == "__main__":
    sys.exit(main())
