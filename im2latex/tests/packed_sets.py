"""Packed data sets for tests, made on the fly: no TeX, no files from elsewhere."""

import json
from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from im2latex.data.packed import FORMAT, MANIFEST, sha256_of, write_atomically, write_shard, write_vocabulary


def draw_strokes(height: int, width: int, generator: np.random.Generator) -> Image.Image:
    """A picture (mode L) of a few black strokes on white that reaches its edges but for 4 pixels."""
    pixels = np.full((height, width), 255, dtype=np.uint8)
    pixels[4 : height - 4, 4:6] = 0
    pixels[height - 6 : height - 4, 4 : width - 4] = 0
    pixels[4 : height - 4, int(generator.integers(6, width - 4))] = 0
    return Image.fromarray(pixels)


def make_packed_set(folder: Path, samples: int, shards: int = 2, seed: int = 0) -> Path:
    """Writes `samples` pictures of many sizes with formulas of 3 to 60 tokens, the same for the same seed."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(seed)
    counts: Counter[str] = Counter()
    entries = []
    for number, part in enumerate(np.array_split(np.arange(samples), shards)):
        rows = [_make_row(int(index), generator) for index in part]
        for row in rows:
            counts.update(row["tokens"].split())
        file = folder / f"shard-{number:05d}.parquet"
        write_shard(file, rows)
        entries.append({"file": file.name, "rows": len(rows), "sha256": sha256_of(file)})
    write_vocabulary(folder, counts, 1)
    write_atomically(folder / MANIFEST, json.dumps({"format": FORMAT, "shards": entries}))
    return folder


def _make_row(index: int, generator: np.random.Generator) -> dict[str, Any]:
    image = draw_strokes(int(generator.integers(20, 70)), int(generator.integers(30, 400)), generator)
    tokens = ["x", "^", *generator.choice(["1", "2", "a", "+"], generator.integers(0, 58)), f"n{index}"]
    stream = BytesIO()
    image.save(stream, "PNG")
    return {
        "image": stream.getvalue(),
        "height": image.height,
        "width": image.width,
        "formula": "".join(tokens),
        "tokens": " ".join(tokens),
        "source": "test",
    }
