"""Symbols drawn with a line or two, for tests: pictures of them, and small sets in the layout of train.npz."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

STROKES = {  # points of each stroke in a unit square
    "-": [[(0.0, 0.5), (1.0, 0.52)]],
    "+": [[(0.0, 0.5), (1.0, 0.5)], [(0.5, 0.0), (0.5, 1.0)]],
    "=": [[(0.0, 0.3), (1.0, 0.3)], [(0.0, 0.7), (1.0, 0.7)]],
    r"\lt": [[(0.9, 0.0), (0.1, 0.5), (0.9, 1.0)]],
    "7": [[(0.15, 0.0), (0.75, 0.0), (0.4, 1.0)]],
}


def draw_symbol(name: str, size: int = 48, width: float = 2, jitter: float = 0, seed: int = 0) -> Image.Image:
    """A symbol, black on white, drawn at four times the size and shrunk; `jitter` moves its points about."""
    random = np.random.default_rng(seed)
    canvas = Image.new("L", (4 * size, 4 * size), 255)
    draw = ImageDraw.Draw(canvas)
    for stroke in STROKES[name]:
        points = (np.array(stroke) + random.normal(0, 1, (len(stroke), 2)) * jitter) * 0.75 * size + size / 8
        draw.line([tuple(point) for point in (4 * points).tolist()], fill=0, width=round(4 * width), joint="curve")
    return canvas.resize((size, size), Image.Resampling.BOX)


def make_symbol_set(folder: Path, names: Sequence[str] = ("-", "+", "="), each: int = 30) -> Path:
    """A folder with train.npz and val.npz; the last class is named, but has no symbols."""
    folder.mkdir(parents=True, exist_ok=True)
    for start, split in ((0, "train"), (1000, "val")):
        numbers = [number % len(names) for number in range(each * len(names))]
        images = [draw_symbol(names[k], jitter=0.05, seed=start + place) for place, k in enumerate(numbers)]
        np.savez(
            folder / f"{split}.npz",
            images=np.stack([np.asarray(image) for image in images]),
            labels=np.array(numbers, dtype=np.int16),
            classes=np.array([*names, "never"]),
        )
    return folder
