"""The only way from any picture to the tensor a model sees: training, scoring and server all go through here."""

import io
import struct
import zlib
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps, UnidentifiedImageError

from im2latex.errors import ImageError
from im2latex.ink import Box, clean, ink_box, ink_contrast, stretch
from im2latex.scale import likely_factors

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
BROKEN_FILE = (
    OSError, SyntaxError, ValueError, TypeError, EOFError, LookupError, OverflowError, MemoryError,
    struct.error, zlib.error, Image.DecompressionBombError, Image.DecompressionBombWarning,
)  # fmt: skip
"""What Pillow's readers raise on damaged files, as its fuzzers and ours found them."""

CELL = 16
"""Pixels: pictures whose sides round to the same multiple mostly run in one batch."""

PALE = 48
"""Grey levels between ink and paper below which a channel with twice as many is taken instead of the luminance."""

MOST_SCALES = 3
"""A picture whose print may be of several sizes is prepared in so many scales at most."""


@dataclass(frozen=True)
class ImageSpec:
    """How pictures are prepared; travels with every checkpoint and bundle. Lengths are in pixels."""

    margin: int = 4
    """Paper kept around the ink: the official look has 8 px before it is halved."""
    multiple: int = 16
    """Height and width of the tensor are multiples of this."""
    max_pixels: int = 2**25
    """Pictures with more pixels are refused before they are decoded."""
    max_area: int = 2**19
    """Larger ink is shrunk to this many pixels: a page of text must not fill the memory."""
    max_side: int = 2048
    """Longer ink is shrunk to this length."""
    min_factor: float = 0.1
    """Thick strokes never shrink a picture further than this."""


@dataclass(frozen=True)
class Placement:
    """Where a prepared tensor lies on the upright picture that it was made of."""

    left: float
    top: float
    """Its corner, in px of the picture as it was scaled."""
    across: float
    down: float
    """Px of the picture to one of the tensor."""
    width: int
    height: int
    """Of the picture, in its own px."""

    def to_picture(self, x: float, y: float) -> tuple[float, float]:
        """The point of the picture, in px from its left and top, where a point of the tensor lies."""
        return (x + self.left) * self.across, (y + self.top) * self.down


def open_image(source: bytes | str | Path | Image.Image, max_pixels: int = ImageSpec.max_pixels) -> Image.Image:
    """Read the first frame of a picture, turned upright; `source` is a file's bytes, its path, or a PIL image.

    Raises ImageError when it is no picture, damaged, or has more than `max_pixels` pixels.
    """
    try:
        if isinstance(source, str | Path):
            source = Path(source).read_bytes()
        image = source if isinstance(source, Image.Image) else Image.open(io.BytesIO(source), formats=FORMATS)
    except UnidentifiedImageError:
        raise ImageError(f"not a picture: wanted one of {', '.join(FORMATS)}") from None
    except BROKEN_FILE as error:
        raise ImageError(f"the picture cannot be opened ({type(error).__name__})") from error
    if image.width * image.height > max_pixels:
        seen = f"{image.width} x {image.height}"
        raise ImageError(f"the picture is too large: {seen}, wanted at most {max_pixels} pixels")
    try:
        image.load()
        return ImageOps.exif_transpose(image)
    except BROKEN_FILE as error:
        raise ImageError(f"the picture is damaged or cut short ({type(error).__name__})") from error


def size_in_cells(data: bytes) -> tuple[int, int]:
    """Height and width of a picture in cells of CELL px, by its file's header alone; (0, 0) when there is none."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return -(-image.height // CELL), -(-image.width // CELL)
    except BROKEN_FILE:
        return 0, 0


@dataclass(frozen=True)
class Prepared:
    """What a model sees of a picture, and where that lies on it."""

    image: torch.Tensor
    """(1, H, W) float32, ink 1 and paper 0, in the official look's scale."""
    placement: Placement


def prepare(image: Image.Image, spec: ImageSpec, shrink: float | None = None) -> torch.Tensor:
    """Turn a picture of any mode into (1, H, W) float32, ink 1 and paper 0, in the official look's scale.

    `shrink`: what print of this size is multiplied by; None: what `print_factor` says. Raises ImageError when the
    picture shows nothing.
    """
    if shrink is None:
        return prepare_scales(image, spec, most=1)[0].image
    ink, box = clean(to_ink(image))
    return _scale(ink, box, min(shrink, fitting_factor(box, spec)), spec).image


def prepare_scales(image: Image.Image, spec: ImageSpec, most: int = MOST_SCALES) -> list[Prepared]:
    """What `prepare` makes of a picture and, where the size of its print is in doubt, of it in other scales.

    At most so many, the likeliest first. Raises ImageError when the picture shows nothing.
    """
    ink, box = clean(to_ink(image))
    largest = min(fitting_factor(box, spec), sqrt(spec.max_pixels / (ink.width * ink.height)))
    factors = [min(factor, largest) for factor in likely_factors(ink.crop(box), spec.min_factor)]
    return [_scale(ink, box, factor, spec) for factor in list(dict.fromkeys(factors))[:most]]


def resize(prepared: Prepared, factor: float) -> Prepared:
    """A prepared picture, smaller or larger by a factor, with paper added right and below up to multiples of CELL."""
    old = prepared.placement
    left, top, across, down = old.left * factor, old.top * factor, old.across / factor, old.down / factor
    placement = Placement(left, top, across, down, old.width, old.height)
    return Prepared(resize_image(prepared.image, factor), placement)


def resize_image(image: torch.Tensor, factor: float) -> torch.Tensor:
    """What `resize` makes of the image (1, H, W) alone."""
    height, width = (max(1, round(side * factor)) for side in image.shape[1:])
    resized = F.interpolate(image.unsqueeze(0), (height, width), mode="bilinear", antialias=True)[0]
    return F.pad(resized, (0, -width % CELL, 0, -height % CELL))


def _scale(whole: Image.Image, box: Box, factor: float, spec: ImageSpec) -> Prepared:
    """The ink of a picture, multiplied by a factor."""
    ink = whole
    if factor != 1:  # the whole picture, as the official ones were halved: strokes fall between pixels in the same way
        size = (max(1, int(ink.width * factor)), max(1, int(ink.height * factor)))
        ink = stretch(ink.resize(size, Image.Resampling.LANCZOS))
        box = ink_box(ink)
    left, top, right, bottom = box
    left, top, right, bottom = left - spec.margin, top - spec.margin, right + spec.margin, bottom + spec.margin
    across, down = whole.width / ink.width, whole.height / ink.height
    placement = Placement(left, top, across, down, whole.width, whole.height)
    return Prepared(pad_to_multiple(ink.crop((left, top, right, bottom)), spec.multiple), placement)


def print_factor(ink: Image.Image, spec: ImageSpec) -> float:
    """What brings the print of a picture, as `to_ink` gives it, to the official look's scale."""
    return likely_factors(ink.crop(ink_box(ink)), spec.min_factor)[0]


def to_grey(image: Image.Image) -> Image.Image:
    """Convert any mode to "L"; what is transparent becomes white, or black where white would hide the ink."""
    if image.mode == "L" and not image.has_transparency_data:
        return image
    if image.mode.startswith("I;16"):
        deep = np.asarray(image).astype(np.uint16)
        return Image.fromarray((deep >> (8 if deep.max() >= 2**12 else 4)).astype(np.uint8))  # 16 bits, or 12 of them
    if image.mode in ("I", "F"):
        values = np.nan_to_num(np.asarray(image, dtype=np.float64), posinf=0.0, neginf=0.0)
        span = float(np.ptp(values)) or 1.0
        return Image.fromarray(((values - values.min()) * (255 / span)).astype(np.uint8))
    try:
        if not image.has_transparency_data:
            return _without_colour(image)
        layer = image.convert("RGBA")
    except ValueError as error:
        raise ImageError(f"cannot read colours of mode {image.mode}, wanted grey, RGB or CMYK") from error
    grounds = (Image.new("RGBA", layer.size, colour) for colour in ("white", "black"))
    on_white, on_black = (_without_colour(Image.alpha_composite(ground, layer)) for ground in grounds)
    return on_black if contrast(on_black) > 2 * contrast(on_white) else on_white


def _without_colour(image: Image.Image) -> Image.Image:
    """The luminance, or the channel that shows the ink where two colours are equally light."""
    luminance = image.convert("L")
    levels = ink_contrast(luminance)
    if levels >= PALE:
        return luminance
    clearest = max(image.convert("RGB").split(), key=ink_contrast)
    return clearest if ink_contrast(clearest) > 2 * levels else luminance


def contrast(grey: Image.Image) -> int:
    """Grey levels between the darkest and the lightest pixel."""
    darkest, lightest = grey.getextrema()
    return int(lightest) - int(darkest)  # type: ignore[arg-type]


def to_ink(image: Image.Image) -> Image.Image:
    """Convert a picture of any mode to "L" with ink 255 and paper 0; raises ImageError when it is blank."""
    return stretch(to_grey(image))


def fitting_factor(box: Box, spec: ImageSpec) -> float:
    """By what a box must be multiplied to fit the spec's area and side; above 1 when it fits."""
    width, height = box[2] - box[0], box[3] - box[1]
    return min(sqrt(spec.max_area / (width * height)), spec.max_side / max(width, height))


def pad_to_multiple(ink: Image.Image, multiple: int) -> torch.Tensor:
    """Convert ink to (1, H, W) float32 in 0..1, with paper added right and below up to the multiple."""
    height, width = (-(-side // multiple) * multiple for side in (ink.height, ink.width))
    canvas = np.zeros((1, height, width), dtype=np.float32)
    np.multiply(np.asarray(ink), np.float32(1 / 255), out=canvas[0, : ink.height, : ink.width])
    return torch.from_numpy(canvas)
