"""What happens to pictures on their way to a reader: other sizes, grounds, files, angles; and pictures of noise."""

import io
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

PAPER = 255
BLUR = 1.0  # pixels, standard deviation: a stroke of the official look is 1 to 2 pixels wide
QUALITY = 30
DEGREES = 2.0
NOISE_SIDES = ((24, 96), (48, 480))  # pixels: least and most height, least and most width


def scale(image: Image.Image, factor: float) -> Image.Image:
    """The same picture at another size."""
    size = max(1, round(image.width * factor)), max(1, round(image.height * factor))
    return image.resize(size, Image.Resampling.LANCZOS)


def make_transparent(image: Image.Image) -> Image.Image:
    """Black ink on a transparent ground; what is grey is half transparent."""
    layer = Image.new("RGBA", image.size, "black")
    layer.putalpha(ImageOps.invert(image))
    return layer


def compress(image: Image.Image) -> Image.Image:
    """Once through a JPEG file of QUALITY."""
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=QUALITY)
    return Image.open(stream)


def rotate(image: Image.Image) -> Image.Image:
    """Turned to the left by DEGREES, on paper that holds all of it."""
    return image.rotate(DEGREES, Image.Resampling.BICUBIC, expand=True, fillcolor=PAPER)


DISTURBANCES: Mapping[str, Callable[[Image.Image], Image.Image]] = {
    "scale 0.35": lambda image: scale(image, 0.35),
    "scale 0.5": lambda image: scale(image, 0.5),
    "scale 0.75": lambda image: scale(image, 0.75),
    "scale 2": lambda image: scale(image, 2),
    "scale 3": lambda image: scale(image, 3),
    "inversion": ImageOps.invert,
    "transparency": make_transparent,
    "JPEG quality 30": compress,
    "rotation by 2 degrees": rotate,
    "blur of 1 px": lambda image: image.filter(ImageFilter.GaussianBlur(BLUR)),
}
"""Each takes a grey picture, dark ink on white, and leaves it as it is."""


def draw_noise(seed: int) -> Image.Image:
    """A picture without a formula, the same for the same seed: grains, clouds, blots or strokes."""
    random = np.random.default_rng(seed)
    height, width = (int(random.integers(least, most + 1)) for least, most in NOISE_SIDES)
    kind = seed % 4
    if kind == 0:
        return Image.fromarray(random.integers(0, 256, (height, width), dtype=np.uint8))
    if kind == 1:
        coarse = random.integers(0, 256, (height // 8 + 2, width // 8 + 2), dtype=np.uint8)
        return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    if kind == 2:
        is_paper = random.random((height, width)) > random.uniform(0.02, 0.3)
        return Image.fromarray(np.where(is_paper, PAPER, 0).astype(np.uint8))
    return Image.fromarray(_draw_strokes(height, width, random))


def _draw_strokes(height: int, width: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Upright and level strokes of random length, in random places."""
    pixels = np.full((height, width), PAPER, dtype=np.uint8)
    for _ in range(int(random.integers(3, 40))):
        top, left = int(random.integers(0, height)), int(random.integers(0, width))
        length, thickness = int(random.integers(2, 30)), int(random.integers(1, 4))
        tall, broad = (length, thickness) if random.random() < 0.5 else (thickness, length)
        pixels[top : top + tall, left : left + broad] = 0
    return pixels
