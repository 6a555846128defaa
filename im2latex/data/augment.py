"""Augmentation for training: the same formula at another size, with another pen, margin and light."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

PAPER = 255


@dataclass(frozen=True)
class AugmentConfig:
    """Chances (0 to 1) and ranges of each change; a picture that meets no chance passes untouched."""

    scale: float = 0.6
    scale_range: tuple[float, float] = (0.75, 1.25)
    thickness: float = 0.25
    blur: float = 0.15
    blur_radius: float = 0.8
    contrast: float = 0.3
    noise: float = 0.1
    noise_level: float = 12.0
    margin: float = 0.3
    margin_pixels: int = 12


class Augment:
    """Called with a picture and a generator; the same generator state gives the same picture."""

    def __init__(self, config: AugmentConfig) -> None:
        self.config = config

    def __call__(self, image: Image.Image, random: np.random.Generator) -> Image.Image:
        """A grey picture ("L", dark ink on white) to a changed one; its size changes with scale and margin."""
        config = self.config
        if random.random() < config.scale:
            image = _rescale(image, random, config.scale_range)
        if random.random() < config.thickness:
            image = _change_thickness(image, random)
        if random.random() < config.blur:
            image = image.filter(ImageFilter.GaussianBlur(random.uniform(0.2, config.blur_radius)))
        if random.random() < config.contrast:
            image = _change_contrast(image, random)
        if random.random() < config.margin:
            image = _add_margins(image, random, config.margin_pixels)
        if random.random() < config.noise:
            image = _add_noise(image, random, config.noise_level)
        return image


def _rescale(image: Image.Image, random: np.random.Generator, limits: tuple[float, float]) -> Image.Image:
    factor = float(np.exp(random.uniform(np.log(limits[0]), np.log(limits[1]))))
    stretch = float(np.exp(random.uniform(-0.04, 0.04)))
    size = (max(8, round(image.width * factor * stretch)), max(8, round(image.height * factor)))
    method = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)[
        random.integers(3)
    ]
    return image.resize(size, method)


def _change_thickness(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Bolder by a share of a 3 x 3 minimum, or thinner by paling the greys."""
    if random.random() < 0.7:
        return Image.blend(image, image.filter(ImageFilter.MinFilter(3)), random.uniform(0.1, 0.6))
    power = random.uniform(0.5, 0.9)
    return image.point([round(PAPER * (level / PAPER) ** power) for level in range(256)])


def _change_contrast(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Another gamma, and ink that is not quite black on paper that is not quite white."""
    gamma, ink, paper = random.uniform(0.6, 1.5), random.uniform(0, 70), random.uniform(225, 255)
    return image.point([round(ink + (paper - ink) * (level / PAPER) ** gamma) for level in range(256)])


def _add_margins(image: Image.Image, random: np.random.Generator, most: int) -> Image.Image:
    left, top, right, bottom = (int(pixels) for pixels in random.integers(0, most + 1, size=4))
    paper = image.getpixel((0, 0))
    wider = Image.new("L", (image.width + left + right, image.height + top + bottom), paper)
    wider.paste(image, (left, top))
    return wider


def _add_noise(image: Image.Image, random: np.random.Generator, level: float) -> Image.Image:
    noise = random.normal(0, random.uniform(2, level), size=(image.height, image.width))
    return Image.fromarray(np.clip(np.asarray(image, dtype=np.float32) + noise, 0, PAPER).astype(np.uint8))
