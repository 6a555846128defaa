"""Command: how large the print in pictures measures, and what `prepare` shrinks them by; the constants of scale.py.

python training/measure_scale.py --images official.zip --expected 0.5     (200 dpi; each is also measured halved)
"""

import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import jsonargparse
import numpy as np
from PIL import Image

from im2latex.errors import Im2LatexError, ImageError
from im2latex.images import ImageSpec, open_image, to_ink
from im2latex.ink import ink_box
from im2latex.scale import likely_factors, print_size

PERCENTILES = (0, 1, 50, 99, 100)


@dataclass(frozen=True)
class Measured:
    """A picture as it is, and halved by Lanczos as IM2LATEX-100K's were."""

    size: float
    factor: float
    half_size: float
    half_factor: float

    @property
    def relation(self) -> float:
        """Factor of the picture over that of its half; 0.5 when both come out in one scale."""
        return self.factor / self.half_factor


def measure(picture: Image.Image) -> Measured:
    """Raises ImageError when the picture is blank."""
    grey = picture.convert("L")
    half = grey.resize((max(1, grey.width // 2), max(1, grey.height // 2)), Image.Resampling.LANCZOS)
    inks = [ink.crop(ink_box(ink)) for ink in map(to_ink, (grey, half))]
    sizes = [(print_size(ink), likely_factors(ink, ImageSpec.min_factor)[0]) for ink in inks]
    return Measured(*sizes[0], *sizes[1])


def main(arguments: list[str] | None = None) -> int:
    """Print percentiles of the sizes and the shares that come out as expected."""
    parser = jsonargparse.ArgumentParser(prog="measure_scale.py", description=__doc__)
    parser.add_argument("--images", type=str, required=True, help="zip of pictures")
    parser.add_argument("--expected", type=float, default=1.0, help="factor that prepare should find")
    parser.add_argument("--limit", type=int, default=800, help="pictures measured, evenly taken")
    given = parser.parse_args(arguments)
    if not zipfile.is_zipfile(given.images):
        print(f"error: {Path(given.images).name} is no zip of pictures", file=sys.stderr)
        return 1
    report(_measure_all(given.images, given.limit), given.expected)
    return 0


def report(measured: list[Measured], expected: float) -> None:
    """Print the figures."""
    print(f"{len(measured)} pictures; percentiles {PERCENTILES}")
    for name in ("size", "half_size"):
        values = np.percentile([getattr(one, name) for one in measured], PERCENTILES)
        print(f"  {name:<10}" + " ".join(f"{value:6.2f}" for value in values))
    found = np.mean([abs(one.factor / expected - 1) <= 0.05 for one in measured])
    relation = np.mean([abs(one.relation / expected - 1) <= 0.05 for one in measured])
    print(f"  factor {expected:g} within 5 %: {found:.1%}; the same relative to its own half: {relation:.1%}")


def _measure_all(path: str, limit: int) -> list[Measured]:
    measured = []
    with zipfile.ZipFile(path) as archive:
        names = sorted(name for name in archive.namelist() if not name.endswith("/"))
        for name in names[:: max(1, len(names) // limit)][:limit]:
            try:
                measured.append(measure(open_image(archive.read(name))))
            except ImageError as error:
                print(f"  {name}: {error}")
    return measured


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Im2LatexError as error:
        sys.exit(f"error: {error}")
