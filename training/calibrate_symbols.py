"""Score the symbol network of a bundle, and calibrate it anew: its weights stay, its confidence becomes honest.

python training/calibrate_symbols.py --data symbols_crohme --out runs/symbols
cp runs/symbols/bundle.pt im2latex/bundles/symbols.pt

Temperature and class biases are fitted on the validation symbols; each of these is judged by what the other four fifths
of them say.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from im2latex.bundle import load_symbols
from im2latex.data.symbols import keep_classes, read_symbols
from im2latex.errors import BundleError
from im2latex.models.symbol_cnn import build_symbol_net
from im2latex.shipped import SYMBOLS, find_model
from training.command import run_command
from training.symbol_scores import score_net, tell


@dataclass(frozen=True)
class CalibrateSymbols:
    """Which network, and on what."""

    data: str
    """Folder or zip with val.npz."""
    out: str
    """Folder for scores.json, samples.png, confusions.png and bundle.pt."""
    bundle: str | None = None
    """None: the one that ships."""


def run(config: CalibrateSymbols) -> str:
    """Score, draw, write the bundle; returns what is told."""
    bundle = load_symbols(find_model(config.bundle, SYMBOLS))
    val = keep_classes(read_symbols(config.data, "val"), bundle.classes)
    folder = Path(config.out)
    folder.mkdir(parents=True, exist_ok=True)
    name = bundle.facts["net"]
    net = build_symbol_net(name, len(bundle.classes)).eval()
    try:
        net.load_state_dict(bundle.classifier.net.state_dict())  # type: ignore[union-attr]
    except RuntimeError as error:
        raise BundleError(f"its network is not {name!r} as this version builds it; train it anew: {error}") from error
    return tell(score_net(net, name, val, folder), config.out)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 if the bundle was written, 1 with a message if not."""
    return run_command(CalibrateSymbols, run, arguments, name="calibrate_symbols.py", usage=__doc__)


if __name__ == "__main__":
    sys.exit(main())
