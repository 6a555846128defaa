"""Augmentation for training: the same formula at another size, with another pen, paper, light and ground."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from PIL import Image, ImageFilter

PAPER = 255
Change = Callable[[Image.Image, np.random.Generator], Image.Image]


@dataclass(frozen=True)
class AugmentConfig:
    """Chances (0 to 1) and ranges of each change; a picture that meets no chance passes untouched."""

    scale: float = 0.5
    """Chance that a batch is drawn at another size."""
    scale_range: tuple[float, float] = (0.6, 1.5)
    turn: float = 0.1
    turn_degrees: float = 2.5
    shear: float = 0.05
    """Chance of a slant, of at most `turn_degrees`."""
    thickness: float = 0.25
    blur: float = 0.15
    blur_radius: float = 0.8
    contrast: float = 0.3
    light: float = 0.1
    """Chance that one side of the paper lies in shadow."""
    colour: float = 0.05
    """Chance of coloured ink on coloured ground, light on dark as often as dark on light."""
    jpeg: float = 0.1
    jpeg_quality: tuple[int, int] = (25, 90)
    noise: float = 0.1
    noise_level: float = 12.0
    margin: float = 0.3
    margin_pixels: int = 12


class Augment:
    """Called with a picture, a generator and its batch's scale; the same generator state gives the same picture."""

    def __init__(self, config: AugmentConfig) -> None:
        self.config = config
        self._changes: list[tuple[float, Change]] = [
            (config.turn, partial(_turn, most=config.turn_degrees)),
            (config.shear, partial(_shear, most=config.turn_degrees)),
            (config.thickness, _change_thickness),
            (config.blur, partial(_blur, most=config.blur_radius)),
            (config.contrast, _change_contrast),
            (config.margin, partial(_add_margins, most=config.margin_pixels)),
            (config.light, _shade),
            (config.noise, partial(_add_noise, most=config.noise_level)),
            (config.colour, _colour),
            (config.jpeg, partial(_compress, qualities=config.jpeg_quality)),
        ]

    def draw_scale(self, random: np.random.Generator) -> float:
        """One size for all pictures of a batch: padding is to the largest, so sizes drawn singly would waste half."""
        if random.random() >= self.config.scale:
            return 1.0
        smallest, largest = self.config.scale_range
        return float(np.exp(random.uniform(np.log(smallest), np.log(largest))))

    def __call__(self, image: Image.Image, random: np.random.Generator, scale: float = 1.0) -> Image.Image:
        """A grey picture ("L", dark ink on white) to a changed one ("L", or "RGB" where it is coloured)."""
        if scale != 1.0:
            image = _rescale(image, random, scale)
        for chance, change in self._changes:
            if random.random() < chance:
                image = change(image, random)
        return image


def _rescale(image: Image.Image, random: np.random.Generator, scale: float) -> Image.Image:
    """By the scale, give or take 4 %, stretched by as much."""
    stretch, jitter = np.exp(random.uniform(-0.04, 0.04, size=2))
    size = (max(8, round(image.width * scale * jitter * stretch)), max(8, round(image.height * scale * jitter)))
    method = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)[random.integers(3)]
    return image.resize(size, method)


def _turn(image: Image.Image, random: np.random.Generator, most: float) -> Image.Image:
    """By at most so many degrees; the canvas grows so that no ink is lost."""
    degrees = random.uniform(-most, most)
    return image.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=image.getpixel((0, 0)))


def _shear(image: Image.Image, random: np.random.Generator, most: float) -> Image.Image:
    """Slanted like italics, or against them, by at most so many degrees."""
    slope = float(np.tan(np.radians(random.uniform(-most, most))))
    more = int(abs(slope) * image.height) + 1
    where = (1, slope, -more if slope > 0 else 0, 0, 1, 0)  # of each new pixel in the old picture
    size = (image.width + more, image.height)
    paper = image.getpixel((0, 0))
    return image.transform(size, Image.Transform.AFFINE, where, Image.Resampling.BICUBIC, fillcolor=paper)


def _change_thickness(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Bolder by a share of a 3 x 3 minimum, or thinner by paling the greys."""
    if random.random() < 0.7:
        return Image.blend(image, image.filter(ImageFilter.MinFilter(3)), random.uniform(0.1, 0.6))
    power = random.uniform(0.5, 0.9)
    return image.point([round(PAPER * (level / PAPER) ** power) for level in range(256)])


def _blur(image: Image.Image, random: np.random.Generator, most: float) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(random.uniform(0.2, most)))


def _change_contrast(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Another gamma, and ink that is not quite black on paper that is not quite white."""
    gamma, ink, paper = random.uniform(0.6, 1.5), random.uniform(0, 70), random.uniform(225, 255)
    return image.point([round(ink + (paper - ink) * (level / PAPER) ** gamma) for level in range(256)])


def _add_margins(image: Image.Image, random: np.random.Generator, most: int) -> Image.Image:
    left, top, right, bottom = (int(pixels) for pixels in random.integers(0, most + 1, size=4))
    wider = Image.new("L", (image.width + left + right, image.height + top + bottom), image.getpixel((0, 0)))
    wider.paste(image, (left, top))
    return wider


def _shade(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Light falls off along a random direction, by at most a quarter each way."""
    down, across = random.uniform(-0.25, 0.25, size=2)
    light = 1 - np.abs(down) * _ramp(image.height, down)[:, None] - np.abs(across) * _ramp(image.width, across)[None, :]
    return Image.fromarray((np.asarray(image, dtype=np.float32) * np.clip(light, 0.5, 1)).astype(np.uint8))


def _ramp(length: int, direction: float) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    """From 0 to 1 over `length`, or backwards."""
    ramp = np.linspace(0, 1, length, dtype=np.float32)
    return ramp if direction > 0 else ramp[::-1]


def _add_noise(image: Image.Image, random: np.random.Generator, most: float) -> Image.Image:
    noise = random.normal(0, random.uniform(2, most), size=(image.height, image.width))
    return Image.fromarray(np.clip(np.asarray(image, dtype=np.float32) + noise, 0, PAPER).astype(np.uint8))


def _colour(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Grey levels become a way from one colour to another, at least a third of the range apart in every channel."""
    dark, light = random.integers(0, 86, size=3), random.integers(171, 256, size=3)
    ends = (dark, light) if random.random() < 0.5 else (light, dark)
    levels = np.asarray(image, dtype=np.float32)[:, :, None] / PAPER
    return Image.fromarray((ends[0] + (ends[1] - ends[0]) * levels).astype(np.uint8), "RGB")


def _compress(image: Image.Image, random: np.random.Generator, qualities: tuple[int, int]) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=int(random.integers(qualities[0], qualities[1] + 1)))
    return Image.open(stream)
