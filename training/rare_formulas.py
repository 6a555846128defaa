"""Write formulas that papers have and lists of formulas lack: pieces of a few tokens, spaces of given length, matrices.

python training/rare_formulas.py --formulas train.tsv.xz --only 'hepth/*' --out rare.txt

They are made of the formulas of the list, and become pictures by `training/prepare_data.py --formulas rare.txt`.
"""

import random
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from tqdm import tqdm

from im2latex.data.formulas import read_formulas
from im2latex.errors import DataError, FormulaError
from im2latex.latex import canonicalize
from training.command import run_command

BREAKS = frozenset("=+-,.;:<>~\\") | {
    *("\\to", "\\rightarrow", "\\equiv", "\\in", "\\cdot", "\\times"),
    *("\\quad", "\\qquad", "\\,", "\\;"),
}
"""Tokens between which a piece of a formula stands by itself."""
OPENING, CLOSING = frozenset("{(["), frozenset("})]")
GROUPS = OPENING | CLOSING
BEGINS, ENDS = re.compile(r"\\(?:left|begin)(?![a-z])"), re.compile(r"\\(?:right|end)(?![a-z])")
"""Not arrows to the left or right."""
SPACES = frozenset(("\\quad", "\\qquad"))
LENGTH = re.compile(r"\\hspace { [.\d][^{}]* }")
"""Not those below zero: they lay one thing over another."""
CENTERED = re.compile(r"\\begin{array} { (?:c )+} ")
RULES = ("\\hline", "\\cline")


@dataclass(frozen=True)
class RareConfig:
    """What to make the formulas of, and how many."""

    formulas: str
    """A list as `training/prepare_data.py` reads it."""
    out: str
    """The .txt file to write, a formula a line."""
    only: str = "*"
    """Take formulas whose source fits this pattern."""
    pieces: int = 2500
    """Pieces of at most `longest` tokens, the most frequent ones."""
    longest: int = 8
    spaces: int = 2500
    """Formulas whose \\quad and \\qquad become \\hspace, by lengths that others of them have."""
    matrices: int = 1200
    """Formulas whose arrays, centered and without rules, become matrices."""
    seed: int = 0


def write_rare(config: RareConfig) -> str:
    """Writes the file and says what is in it; DataError where the list has no \\hspace to learn lengths from."""
    formulas = read_canonical(config.formulas, config.only)
    lengths = [length for formula in formulas for length in sorted(set(LENGTH.findall(" ".join(formula))))]
    if config.spaces and not lengths:
        raise DataError("no \\hspace in the formulas taken: lengths are drawn from those; or ask for --spaces 0")
    draw = random.Random(config.seed)
    draw.shuffle(formulas)
    pieces = Counter(piece for formula in formulas for piece in pieces_of(formula, config.longest))
    parts = {
        "pieces": [piece for piece, _ in pieces.most_common(config.pieces)],
        "spaces": _first(config.spaces, (with_space(formula, draw.choice(lengths or [""])) for formula in formulas)),
        "matrices": _first(config.matrices, (with_matrices(formula) for formula in formulas)),
    }
    Path(config.out).write_text("".join(f"{line}\n" for part in parts.values() for line in part), encoding="utf-8")
    return f"{config.out}: " + ", ".join(f"{len(part)} {name}" for name, part in parts.items())


def read_canonical(path: str, only: str) -> list[list[str]]:
    """The list's formulas whose source fits `only`, in the normal form, without those that have none."""
    found = [formula.formula for formula in read_formulas(path) if fnmatchcase(formula.source, only)]
    return list(canonical(tqdm(found, "canonicalize", disable=None)))


def canonical(formulas: Iterable[str]) -> Iterator[list[str]]:
    """The formulas in the normal form, without those that have none."""
    for formula in formulas:
        try:
            yield canonicalize(formula)
        except FormulaError:
            continue


def depths(formula: Iterable[str]) -> Iterator[int]:
    """How many groups, brackets and environments are open after each token."""
    depth = 0
    for token in formula:
        depth += token in OPENING or bool(BEGINS.match(token))
        depth -= token in CLOSING or bool(ENDS.match(token))
        yield depth


def pieces_of(formula: Sequence[str], longest: int) -> Iterator[str]:
    """What stands between relations, signs and spaces outside of all groups, of at most so many tokens."""
    piece: list[str] = []
    ended = [*formula, ","]
    for token, depth in zip(ended, depths(ended), strict=True):
        if depth == 0 and token in BREAKS:
            if len(piece) <= longest and not GROUPS.issuperset(piece):
                yield " ".join(piece)
            piece = []
        else:
            piece.append(token)


def with_space(formula: Sequence[str], length: str) -> str | None:
    """The formula with `length` for each \\quad and \\qquad; None where it has none."""
    if SPACES.isdisjoint(formula):
        return None
    return " ".join(length if token in SPACES else token for token in formula)


def with_matrices(formula: Sequence[str]) -> str | None:
    """The formula with matrices for its arrays; None where it has none, or one with rules or columns not centered."""
    text = " ".join(formula)
    arrays = text.count("\\begin{array}")
    if arrays == 0 or len(CENTERED.findall(text)) < arrays or any(rule in text for rule in RULES):
        return None
    return CENTERED.sub(r"\\begin{matrix} ", text).replace("\\end{array}", "\\end{matrix}")


def _first(count: int, found: Iterator[str | None]) -> list[str]:
    kept: dict[str, None] = {}
    for line in found:
        if len(kept) == count:
            break
        if line is not None:
            kept[line] = None
    return list(kept)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; 0, or 1 with a message."""
    return run_command(RareConfig, write_rare, arguments, name="rare_formulas.py", usage=__doc__)


if __name__ == "__main__":
    sys.exit(main())
