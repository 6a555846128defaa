"""Write formulas like those of a list that nobody wrote: their letters and parts exchanged.

python training/new_formulas.py --formulas train.tsv.xz --only 'hepth/*' --out new.txt

A reader that knows its list by heart must look at these. They become pictures by
`training/prepare_data.py --formulas new.txt`.
"""

import random
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase

from im2latex.errors import DataError
from training.command import run_command
from training.long_formulas import whole
from training.rare_formulas import BREAKS, canonical, depths, read_canonical

ACCENTS = frozenset(("\\bar", "\\hat", "\\tilde", "\\dot", "\\ddot", "\\vec", "\\overline", "\\widetilde", "\\widehat"))
HEADS = ACCENTS | {"_", "^", "\\frac", "\\sqrt"}
"""What stands before a group that may be exchanged for a group after the same."""
GREEK = (
    "\\alpha \\beta \\gamma \\delta \\epsilon \\varepsilon \\zeta \\eta \\theta \\vartheta \\iota \\kappa \\lambda "
    "\\mu \\nu \\xi \\pi \\rho \\sigma \\tau \\upsilon \\phi \\varphi \\chi \\psi \\omega"
)
CAPITALS = "\\Gamma \\Delta \\Theta \\Lambda \\Xi \\Pi \\Sigma \\Upsilon \\Phi \\Psi \\Omega"
ALPHABETS = tuple(
    frozenset(letters)
    for letters in (set(ascii_lowercase) - set("dei"), ascii_uppercase, GREEK.split(), CAPITALS.split(), "3456789")
)
"""A letter becomes another of its alphabet; d, e, i, 0, 1 and 2 stay."""
LONGEST_GROUP, LONGEST_PIECE = 12, 24


@dataclass(frozen=True)
class NewConfig:
    """What to make the formulas of, how many, and how far they go from those of the list."""

    formulas: str
    """A list as `training/prepare_data.py` reads it."""
    out: str
    """The .txt file to write, a formula a line."""
    only: str = "*"
    """Take formulas whose source fits this pattern."""
    arrays: bool = False
    """Take formulas with arrays, too; where `only` lets through nothing else, all will have them."""
    count: int = 40000
    letters: float = 0.5
    """Share of a formula's letters that become others, everywhere in it."""
    groups: float = 0.25
    """Share of the scripts, and of what stands in fractions, roots and under accents, that become others'."""
    pieces: float = 0.25
    """Share of what stands between relations and signs that becomes another formula's."""
    most: int = 250
    """Tokens."""
    seed: int = 0


class Exchange:
    """Formulas with letters, groups and pieces of others."""

    def __init__(self, formulas: Sequence[Sequence[str]], config: NewConfig) -> None:
        self._config, self._draw = config, random.Random(config.seed)
        self._groups: dict[str, list[Sequence[str]]] = defaultdict(list)
        self._pieces: list[Sequence[str]] = []
        for formula in formulas:
            for head, start, end in groups_of(formula):
                if end - start <= LONGEST_GROUP:
                    self._groups[head].append(formula[start:end])
            self._pieces += [piece for piece in parts_of(formula) if _movable(piece)]
        counts = Counter(token for formula in formulas for token in formula)
        known = [sorted(letter for letter in alphabet if counts[letter]) for alphabet in ALPHABETS]
        self._letters = [(letters, [counts[letter] ** 0.5 for letter in letters]) for letters in known]

    def new(self, formula: Sequence[str]) -> list[str]:
        """The formula with pieces, then groups, then letters exchanged."""
        pieces = [
            self._draw.choice(self._pieces) if _movable(piece) and self._draw.random() < self._config.pieces else piece
            for piece in parts_of(formula)
        ]
        return self._renamed(self._regrouped([token for piece in pieces for token in piece]))

    def _regrouped(self, formula: Sequence[str]) -> list[str]:
        new: list[str] = []
        done = 0
        for head, start, end in groups_of(formula):
            if start >= done and head in self._groups and self._draw.random() < self._config.groups:
                new += [*formula[done:start], *self._draw.choice(self._groups[head])]
                done = end
        return [*new, *formula[done:]]

    def _renamed(self, formula: Sequence[str]) -> list[str]:
        names: dict[str, str] = {}
        for letters, weights in self._letters:
            for letter in letters:
                if self._draw.random() < self._config.letters:
                    names[letter] = self._draw.choices(letters, weights)[0]
        return list(renamed(formula, names))


def groups_of(formula: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """Of every group after one of HEADS: that, and where what is in the group starts and ends; outer groups first."""
    opened: list[tuple[str, int]] = []
    found: list[tuple[str, int, int]] = []
    heads = [""]
    for place, token in enumerate(formula):
        if token == "{":
            opened.append((heads[-1], place + 1))
            heads.append("")
        elif token == "}":
            head, start = opened.pop()
            heads.pop()
            if head in HEADS and place > start:
                found.append((head, start, place))
        else:
            heads[-1] = token
    yield from sorted(found, key=lambda group: group[1])


def parts_of(formula: Sequence[str]) -> list[Sequence[str]]:
    """The formula cut before and after every relation, sign and space outside of all groups."""
    ends = [0]
    for place, (token, depth) in enumerate(zip(formula, depths(formula), strict=True)):
        if depth == 0 and token in BREAKS:
            ends += [place, place + 1]
    ends.append(len(formula))
    return [formula[start:end] for start, end in pairwise(ends) if end > start]


def renamed(formula: Sequence[str], names: Mapping[str, str]) -> Iterator[str]:
    """The formula with other letters, but in groups that hold words or lengths."""
    kept: list[bool] = [False]
    before = ""
    for token in formula:
        if token == "{":
            kept.append(kept[-1] or (before.startswith("\\") and before not in HEADS))
        elif token == "}":
            kept.pop()
        yield token if kept[-1] else names.get(token, token)
        before = token


def write_new(config: NewConfig) -> str:
    """Writes the file and says what is in it; DataError where the list has nothing to make formulas of."""
    known = [tokens for tokens in read_canonical(config.formulas, config.only) if _taken(tokens, config)]
    if not known:
        wanted = "formula" if config.arrays else "formula without arrays"
        raise DataError(f"{config.formulas}: no {wanted} whose source fits {config.only!r}")
    exchange, draw = Exchange(known, config), random.Random(config.seed)
    old = {" ".join(tokens) for tokens in known}
    made: dict[str, None] = {}
    for tokens in canonical(" ".join(exchange.new(draw.choice(known))) for _ in range(4 * config.count)):
        if (line := " ".join(tokens)) not in old and _taken(tokens, config):
            made[line] = None
        if len(made) == config.count:
            break
    Path(config.out).write_text("".join(f"{line}\n" for line in made), encoding="utf-8")
    return f"{config.out}: {len(made)} formulas, made of {len(known)}"


def _taken(tokens: Sequence[str], config: NewConfig) -> bool:
    return 0 < len(tokens) <= config.most and (
        config.arrays or not any(token.startswith("\\begin") for token in tokens)
    )


def _movable(piece: Sequence[str]) -> bool:
    if len(piece) > LONGEST_PIECE or BREAKS.issuperset(piece) or not whole(" ".join(piece)):
        return False
    opened = list(accumulate((token == "{") - (token == "}") for token in piece))
    return min(opened) >= 0 and opened[-1] == 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; 0, or 1 with a message."""
    return run_command(NewConfig, write_new, arguments, name="new_formulas.py", usage=__doc__)


if __name__ == "__main__":
    sys.exit(main())
