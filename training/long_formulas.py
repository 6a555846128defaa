"""Write long formulas, of which lists have few: formulas one below the other, and matrices.

python training/long_formulas.py --formulas train.tsv.xz --only 'hepth/*' --out long.txt

They are made of the formulas of the list, and become pictures by `training/prepare_data.py --formulas long.txt`.
"""

import random
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from im2latex.errors import DataError
from training.command import run_command
from training.rare_formulas import canonical, depths, pieces_of, read_canonical

RELATIONS = frozenset("=<>") | {
    *("\\equiv", "\\simeq", "\\sim", "\\approx", "\\leq", "\\geq", "\\to", "\\rightarrow", "\\in"),
}
"""Where a formula is parted into columns, if outside of all groups."""
COLUMNS = (*("r c l",) * 5, *("l",) * 3, *("c",) * 2, *("r l",) * 2, "l c l", "c c l")
"""Of formulas in rows; each of these is drawn as often."""
BRACKETS = (*(("\\left(", "\\right)"),) * 3, ("\\left[", "\\right]"), ("\\left|", "\\right|"), ("", ""))
ENTRIES = (*"0001", "- 1")
"""What half the entries of a matrix are; the others are pieces of formulas."""
PARTNERS = re.compile(r"\\[{}|]|\||\\[bB]ig")
LONGEST_ROW, LONGEST_ENTRY, WIDEST = 90, 12, 8


@dataclass(frozen=True)
class LongConfig:
    """What to make the formulas of, how many, and how long."""

    formulas: str
    """A list as `training/prepare_data.py` reads it."""
    out: str
    """The .txt file to write, a formula a line."""
    only: str = "*"
    """Take formulas whose source fits this pattern."""
    rows: int = 4000
    """Formulas that are others one below the other."""
    matrices: int = 2000
    """Formulas with a matrix of pieces."""
    least: int = 100
    """Tokens; between this and `most`, every length as often."""
    most: int = 380
    seed: int = 0


def write_long(config: LongConfig) -> str:
    """Writes the file and says what is in it; DataError where the list has nothing to make formulas of."""
    plain = [tokens for tokens in read_canonical(config.formulas, config.only) if _plain(tokens)]
    draw = random.Random(config.seed)
    draw.shuffle(plain)
    pieces = sorted({piece for formula in plain for piece in pieces_of(formula, LONGEST_ENTRY) if whole(piece)})
    if not plain or not pieces:
        raise DataError(f"{config.formulas}: no short formula whose source fits {config.only!r}")
    row_by_row, lengths = cycle(plain), (config.least, config.most)
    parts = {
        "in rows": different(
            config.rows, lengths, draw, lambda wanted: in_rows(row_by_row, draw.choice(COLUMNS), wanted)
        ),
        "matrices": different(config.matrices, lengths, draw, lambda wanted: matrix(pieces, draw, wanted)),
    }
    Path(config.out).write_text("".join(f"{line}\n" for part in parts.values() for line in part), encoding="utf-8")
    return f"{config.out}: " + ", ".join(f"{len(part)} {name}" for name, part in parts.items())


def in_rows(formulas: Iterator[Sequence[str]], columns: str, wanted: int) -> str:
    """An array of the next formulas, parted at their first relation where there are columns, until there are so many
    tokens."""
    count, length = len(columns.split()), 0
    rows: list[list[str]] = []
    while length < wanted:
        rows.append(columns_of(next(formulas), count))
        length += len(" ".join(rows[-1]).split()) + 3 * count  # braces, signs between cells, and the row's end
    return array(columns, rows)


def columns_of(formula: Sequence[str], count: int) -> list[str]:
    """The formula in one cell; in two, the second from its relation on; or in three, that alone in the second.

    One without relation stands in the last cell, and the others are empty, as where papers go on with a formula.
    """
    if count == 1:
        return [" ".join(formula)]
    places = [place for place, depth in enumerate(depths(formula)) if depth == 0 and formula[place] in RELATIONS]
    if not places:
        return [*[""] * (count - 1), " ".join(formula)]
    at = places[0]
    after = at + (count == 3)
    parts = [formula[:at], *([formula[at:after]] if count == 3 else []), formula[after:]]
    return [" ".join(part) for part in parts]


def matrix(pieces: Sequence[str], draw: random.Random, wanted: int) -> str:
    """A piece that equals a matrix of about so many tokens in brackets, about as high as it is wide, or higher."""
    entries = [draw.choice(ENTRIES) if draw.random() < 0.5 else draw.choice(pieces) for _ in range(wanted)]
    ends = [0]
    for entry in entries:
        ends.append(ends[-1] + len(entry.split()) + 3)
    count = sum(end < wanted for end in ends)
    width = max(2, min(WIDEST, round(count**0.5) - draw.choice((0, 0, 1, 2))))
    rows = [entries[start : start + width] for start in range(0, count // width * width, width)]
    opening, closing = draw.choice(BRACKETS)
    return f"{draw.choice(pieces)} = {opening} {array(' '.join('c' * width), rows)} {closing}"


def array(columns: str, rows: Sequence[Sequence[str]]) -> str:
    """An array with such columns, its cells in braces as the normal form has them."""
    body = "".join(" & ".join(f"{{ {cell} }}" for cell in row) + " \\\\ " for row in rows)
    return f"\\begin{{array}} {{ {columns} }} {body}\\end{{array}}"


def different(count: int, lengths: tuple[int, int], draw: random.Random, make: Callable[[int], str]) -> list[str]:
    """So many different formulas, in the normal form; fewer where they cannot be found.

    Each has from the first to the second of `lengths` tokens, every length as often; `make` is told how many.
    """
    least, most = lengths
    made: dict[str, None] = {}
    for tokens in canonical(make(draw.randint(least, most)) for _ in range(4 * count)):
        if least <= len(tokens) <= most:
            made[" ".join(tokens)] = None
        if len(made) == count:
            break
    return list(made)


def _plain(tokens: Sequence[str]) -> bool:
    """It is no array as a whole, though a matrix may stand in it, and it is not too long for a row."""
    return bool(tokens) and not tokens[0].startswith("\\begin") and len(tokens) <= LONGEST_ROW


def whole(piece: str) -> bool:
    """It can stand alone: no braces or bars that belong to others, nothing raised or lowered at its start."""
    tokens = piece.split()
    return tokens[0] not in ("_", "^") and not any(PARTNERS.match(token) for token in tokens)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; 0, or 1 with a message."""
    return run_command(LongConfig, write_long, arguments, name="long_formulas.py", usage=__doc__)


if __name__ == "__main__":
    sys.exit(main())
