"""Write formulas in rows and columns as papers have them: alike rows, grids of few entries, cases, matrices in rows.

python training/layout_formulas.py --formulas train.tsv.xz --only 'hepth/*' --out layout.txt

Rows of a paper resemble each other, and most of a matrix is zeros: which row is being read is told by its place alone.
In the rows of `training/long_formulas.py`, which have nothing in common, it is told by what stands there, too.
"""

import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from im2latex.errors import DataError
from training.command import run_command
from training.long_formulas import BRACKETS, COLUMNS, array, columns_of, different, whole
from training.new_formulas import Exchange, NewConfig
from training.rare_formulas import pieces_of, read_canonical

CASES = ("l l", "l l", "l l", "l", "c c", "r l", "l c l")
WORDS = ("for", "for", "if", "if", "when", "where", "in", "at", "with")
OTHERWISE = ("otherwise", "else", "for all other")
GAPS = (r"\quad", r"\qquad", r"\;\;", "~~", r"\hspace{0.5cm}", r"\hspace{5mm}")
DOTS = (".", ".", r"\vdots", r"\cdots", r"\ddots", r"\ldots")
JOINTS = ("=", "=", "+", "-", ",", r",\quad", r"\otimes", "")
SHORTEST_ROW, LONGEST_ROW, LONGEST_ENTRY, LARGEST = 5, 45, 12, 8


@dataclass(frozen=True)
class LayoutConfig:
    """What to make the formulas of, how many of each kind, and how long."""

    formulas: str
    """A list as `training/prepare_data.py` reads it."""
    out: str
    """The .txt file to write, a formula a line."""
    only: str = "*"
    """Take formulas whose source fits this pattern."""
    alike: int = 3000
    """Formulas whose rows are a formula and variations of it; a quarter of them with empty rows between."""
    grids: int = 3000
    """Formulas with one to three matrices, most of whose entries are the same few."""
    cases: int = 1500
    """Formulas that have several values behind a brace."""
    nested: int = 1500
    """Formulas in rows with matrices in them."""
    least: int = 30
    """Tokens; between this and `most`, every length as often."""
    most: int = 380
    seed: int = 0


class Layouts:
    """Makes formulas of each kind, of about so many tokens."""

    def __init__(self, formulas: Sequence[Sequence[str]], pieces: Sequence[str], config: LayoutConfig) -> None:
        shares = NewConfig(config.formulas, "", letters=0.25, groups=0.35, pieces=0.35, seed=config.seed)
        self._exchange = Exchange(formulas, shares)
        self._draw, self._formulas, self._pieces = random.Random(config.seed), formulas, pieces

    def alike(self, wanted: int) -> str:
        """Rows that are one formula with other letters and parts; some behind a brace, some with empty rows between."""
        formula, columns = self._draw.choice(self._formulas), self._draw.choice(COLUMNS)
        count, length = len(columns.split()), 0
        rows: list[list[str]] = []
        apart = self._draw.random() < 0.25
        while length < wanted:
            rows.append(columns_of(formula if not rows else self._exchange.new(formula), count))
            rows += [[""] * count] if apart else []
            length += len(" ".join(rows[0]).split()) + (1 + apart) * (3 * count + 1)
        table = array(columns, rows[:-1] if apart else rows)
        return f"\\left\\{{ {table} \\right." if self._draw.random() < 0.15 else table

    def grids(self, wanted: int) -> str:
        """Matrices joined by signs, after a piece that they equal."""
        count = self._draw.choice((1, 1, 2, 2, 3))
        parts = [f"{self._draw.choice(self._pieces)} ="]
        for place in range(count):
            parts += [self._draw.choice(JOINTS)] if place else []
            parts.append(self._grid(wanted // count))
        return " ".join([*parts, self._draw.choice((".", ",", "", "", self._draw.choice(self._pieces)))])

    def cases(self, wanted: int) -> str:
        """A piece that equals one of several behind a brace, each with its condition."""
        columns = self._draw.choice(CASES)
        count, length = len(columns.split()), 0
        rows: list[list[str]] = []
        word, gap = self._draw.choice(WORDS), self._draw.choice(GAPS)
        form = self._draw.choice((r"\mbox{%s }", r"\mathrm{%s} ~", r"{\rm %s} \; ", r"\mathrm{~%s~}", r"\text{ %s }"))
        while length < wanted or len(rows) < 2:
            value, condition = self._draw.choice(self._pieces), form % word + self._draw.choice(self._pieces)
            if length >= wanted * 0.7 and self._draw.random() < 0.2:
                condition = form % self._draw.choice(OTHERWISE)
            end = self._draw.choice((",", ",", "", ".", ";"))
            cells = {1: [f"{value} {gap} {condition} {end}"], 2: [value, f"{condition} {end}"]}
            rows.append(cells.get(count, [value, form % word, f"{self._draw.choice(self._pieces)} {end}"]))
            length += len(" ".join(rows[-1]).split()) + 3 * count + 8
        return f"{self._draw.choice(self._pieces)} = \\left\\{{ {array(columns, rows)} \\right."

    def nested(self, wanted: int) -> str:
        """Rows of an array, each with one or two small matrices among pieces."""
        columns = self._draw.choice(("l", "r l", "r c l", "c"))
        count, length = len(columns.split()), 0
        rows: list[list[str]] = []
        while length < wanted:
            left, right = (self._draw.choice(self._pieces) for _ in range(2))
            matrix = self._grid(self._draw.randint(12, 60))
            twice = f"{self._draw.choice(JOINTS)} {self._grid(30)}" if self._draw.random() < 0.3 else ""
            row = f"{left if not rows or self._draw.random() < 0.5 else ''} = {right} {matrix} {twice}"
            rows.append(columns_of(row.split(), count))
            length += len(row.split())
        return array(columns, rows)

    def _grid(self, wanted: int) -> str:
        """A matrix in brackets of about so many tokens: zeros, dots, and a few pieces again and again."""
        few = [self._draw.choice(self._pieces) for _ in range(self._draw.randint(1, 4))]
        zeros = self._draw.choice((0.0, 0.3, 0.6, 0.85))
        common = self._draw.choice(("0", "0", "0", "1", ""))
        dots = self._draw.choice(DOTS) if self._draw.random() < 0.15 else ""
        mean = 4 + (1 - zeros) * sum(len(piece.split()) for piece in few) / len(few)
        cells = max(2, min(LARGEST**2, round(wanted / mean)))
        width = self._draw.choice((round(cells**0.5), round(cells**0.5), 1, 2, 3, cells))
        width = max(1, min(LARGEST, width, cells))
        rows: list[list[str]] = []
        for _ in range(max(1, min(LARGEST + 4, cells // width))):
            if dots and self._draw.random() < 0.4:
                rows.append([dots] * width)
            else:
                rows.append([common if self._draw.random() < zeros else self._draw.choice(few) for _ in range(width)])
        opening, closing = self._draw.choice(BRACKETS)
        column = self._draw.choice("cccccclr")
        return f"{opening} {array(' '.join(column * width), rows)} {closing}"


def write_layout(config: LayoutConfig) -> str:
    """Writes the file and says what is in it; DataError where the list has nothing to make formulas of."""
    known = [tokens for tokens in read_canonical(config.formulas, config.only) if _plain(tokens)]
    pieces = sorted({piece for formula in known for piece in pieces_of(formula, LONGEST_ENTRY) if whole(piece)})
    if not known or not pieces:
        raise DataError(f"{config.formulas}: no short formula without arrays whose source fits {config.only!r}")
    layouts, draw = Layouts(known, pieces, config), random.Random(config.seed)
    kinds = {
        "alike": (config.alike, layouts.alike),
        "grids": (config.grids, layouts.grids),
        "cases": (config.cases, layouts.cases),
        "nested": (config.nested, layouts.nested),
    }
    lengths = (config.least, config.most)
    made = {kind: different(count, lengths, draw, make) for kind, (count, make) in kinds.items()}
    lines = [line for formulas in made.values() for line in formulas]
    draw.shuffle(lines)
    Path(config.out).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return f"{config.out}: " + ", ".join(f"{len(formulas)} {kind}" for kind, formulas in made.items())


def _plain(tokens: Sequence[str]) -> bool:
    """It is short enough for a row, and there is no array in it."""
    return SHORTEST_ROW <= len(tokens) <= LONGEST_ROW and not any(token.startswith("\\begin") for token in tokens)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; 0, or 1 with a message."""
    return run_command(LayoutConfig, write_layout, arguments, name="layout_formulas.py", usage=__doc__)


if __name__ == "__main__":
    sys.exit(main())
