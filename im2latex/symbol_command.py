"""`im2latex symbol`: name the symbol in each picture, with the next guesses."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import ArgumentParser, Namespace

from im2latex.errors import ImageError
from im2latex.prediction import to_json_line

if TYPE_CHECKING:
    from im2latex.symbol_reader import Guess

NEXT = 5
"""So many guesses are told after the best one."""


def symbol_parser() -> ArgumentParser:
    """The flags of the command."""
    parser = ArgumentParser(description=f"Name the handwritten symbol in each picture, and the {NEXT} next guesses.")
    parser.add_argument("files", metavar="FILE", nargs="+", help="a picture of one symbol, of any size and colours")
    parser.add_argument("--json", action="store_true", help="print a JSON object a line")
    parser.add_argument("--bundle", metavar="F", help="another model file, of training/train_symbols.py")
    return parser


def run_symbol(arguments: Namespace) -> int:
    """Print a line a file, best guess first; 1 if a picture could not be read. A bad file costs only itself."""
    from im2latex.symbol_reader import SymbolReader

    reader = SymbolReader.load(arguments.bundle)
    failed = False
    for file in arguments.files:
        try:
            guesses = reader.read(Path(file), guesses=1 + NEXT)
        except ImageError as error:
            failed = True
            if arguments.json:
                print(to_json_line({"file": file, "error": str(error)}), flush=True)
            else:
                print(f"{file}: {error}", file=sys.stderr, flush=True)
            continue
        print(_as_json(file, guesses) if arguments.json else _as_text(guesses), flush=True)
    return int(failed)


def _as_json(file: str, guesses: "list[Guess]") -> str:
    """One line: file, latex, confidence, and the next guesses as objects of latex and confidence."""
    best, *others = ({"latex": guess.latex, "confidence": guess.confidence} for guess in guesses)
    return to_json_line({"file": file, **best, "next": others})


def _as_text(guesses: "list[Guess]") -> str:
    r"""One line, as `\alpha 93 %   a 4 %   \infty 1 %`."""
    return "   ".join(f"{guess.latex} {100 * guess.confidence:.0f} %" for guess in guesses)
