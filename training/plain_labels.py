r"""Rewrite labels of handwriting as formulas are printed: no `\mbox` around letters, no groups that nothing needs.

python training/plain_labels.py --labels crohme_train/labels.tsv --out plain.tsv

A fifth of CROHME's training labels say `{ \mbox { B } } _ { 2 }`, and `\left ( x \right )`, where the others say `B_2`
and `(x)`. Only labels that have an `\mbox` change, and those written in the same way: every group of theirs that is no
argument is opened, delimiters lose their `\left` and `\right`. What `prepare_data.py` cannot read stays as it is.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from im2latex.errors import DataError, FormulaError
from im2latex.latex import canonicalize
from training.command import run_command

BOX = re.compile(r"\\mbox \{ (\w+) \}")
FENCE = re.compile(r"\\(?:left|right) ")
ARGUMENTS = {"^": 1, "_": 1, "\\sqrt": 1, "]": 1, "\\frac": 2}
"""How many of the groups after a token are its arguments, in these labels; after `]` it may be that of a root."""
SPACED = re.compile(r"(?:^| )[{}](?: |$)")
"""What those labels look like: a space on both sides of a brace."""


@dataclass(frozen=True)
class PlainConfig:
    """Which labels, and where to."""

    labels: str
    """Lines of name<TAB>formula, more columns allowed."""
    out: str


def rewrite(config: PlainConfig) -> str:
    """Writes the labels, as many lines as there were; how many changed."""
    lines = Path(config.labels).read_text(encoding="utf-8").splitlines()
    changed = 0
    for number, line in enumerate(lines):
        name, *rest = line.split("\t")
        if not rest:
            raise DataError(f"{Path(config.labels).name}, line {number + 1}: want name<TAB>formula")
        lines[number] = "\t".join([name, plain(rest[0]), *rest[1:]])
        changed += lines[number] != line
    Path(config.out).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return f"{config.out}: {changed} of {len(lines)} labels rewritten"


def plain(label: str) -> str:
    r"""The label, if it is of that kind, without `\mbox`, `\left`, `\right` and groups that are no arguments."""
    if not SPACED.search(label):
        return label
    bare = FENCE.sub("", BOX.sub(lambda found: " ".join(found[1]), label))
    opened = " ".join(_opened(iter(bare.split())))
    try:
        canonicalize(opened)
    except FormulaError:  # as where two subscripts meet, which groups had kept apart
        return label
    return opened


def _opened(tokens: Iterator[str]) -> Iterator[str]:
    """The tokens up to the end of their group."""
    arguments = 0
    for token in tokens:
        if token == "}":
            return
        if token != "{":
            arguments = ARGUMENTS.get(token, 0)
            yield token
        elif arguments:
            arguments -= 1
            yield from ("{", *_opened(tokens), "}")
        else:
            yield from _opened(tokens)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 when the labels were written, 1 with a message if not."""
    return run_command(PlainConfig, rewrite, arguments, name="plain_labels.py", usage=__doc__)


if __name__ == "__main__":
    sys.exit(main())
