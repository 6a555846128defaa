"""The only way from any picture to the tensor a model sees: training, scoring and server all go through here."""

import io
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from im2latex.errors import ImageError
from im2latex.scale import rescale_factor

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
BROKEN_FILE = (
    OSError, SyntaxError, ValueError, TypeError, EOFError, LookupError, OverflowError, MemoryError,
    struct.error, zlib.error, Image.DecompressionBombError, Image.DecompressionBombWarning,
)  # fmt: skip
"""What Pillow's readers raise on damaged files, as its fuzzers and ours found them."""

FAINTEST_CONTRAST = 16
"""Grey levels (of 255) between paper and ink below which a picture counts as blank."""
INK_LEVEL = 32
"""Ink (of 255, after stretching) that counts when a picture is cropped: above the ringing of JPEG."""


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
    """Prepared pictures are shrunk to this area: a page of text must not fill the memory."""
    min_factor: float = 0.1
    max_factor: float = 4.0


def open_image(source: bytes | str | Path | Image.Image, max_pixels: int = ImageSpec.max_pixels) -> Image.Image:
    """Read the first frame of a picture, turned upright; `source` is a file's bytes, its path, or a PIL image.

    Raises ImageError when it is no picture, damaged, or has more than `max_pixels` pixels.
    """
    try:
        if isinstance(source, str | Path):
            source = Path(source).read_bytes()
        image = source if isinstance(source, Image.Image) else Image.open(io.BytesIO(source), formats=FORMATS)
    except Image.UnidentifiedImageError:
        raise ImageError(f"not a picture: wanted one of {', '.join(FORMATS)}") from None
    except BROKEN_FILE as error:
        raise ImageError(f"the picture cannot be opened ({type(error).__name__})") from error
    if image.width * image.height > max_pixels:
        raise ImageError(f"the picture is too large: {image.width} x {image.height}, wanted at most {max_pixels} pixels")
    try:
        image.load()
        return ImageOps.exif_transpose(image)
    except BROKEN_FILE as error:
        raise ImageError(f"the picture is damaged or cut short ({type(error).__name__})") from error


def prepare(image: Image.Image, spec: ImageSpec) -> torch.Tensor:
    """Turn a picture of any mode into (1, H, W) float32, ink 1 and paper 0, in the official look's scale.

    Raises ImageError when the picture shows nothing.
    """
    ink = to_ink(image)
    box = ink.point(lambda level: level >= INK_LEVEL and 255).getbbox()
    assert box is not None, "a stretched picture has a darkest pixel"
    factor = rescale_factor(np.asarray(ink.crop(box)), spec.min_factor, spec.max_factor)
    area = (box[2] - box[0]) * (box[3] - box[1]) * factor**2
    if area > spec.max_area:
        factor *= (spec.max_area / area) ** 0.5
    return pad_to_multiple(frame(ink, box, factor, spec.margin), spec.multiple)


def to_grey(image: Image.Image) -> Image.Image:
    """Convert any mode to "L"; what is transparent becomes white, or black where white would hide the ink."""
    if image.mode == "L" and not image.has_transparency_data:
        return image
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        values = np.nan_to_num(np.asarray(image, dtype=np.float64), posinf=0.0, neginf=0.0)
        span = float(np.ptp(values)) or 1.0
        return Image.fromarray(((values - values.min()) * (255 / span)).astype(np.uint8))
    if not image.has_transparency_data:
        try:
            return image.convert("L")
        except ValueError as error:
            raise ImageError(f"cannot read colours of mode {image.mode}, wanted grey, RGB or CMYK") from error
    layer = image.convert("RGBA")
    on_white, on_black = (
        Image.alpha_composite(Image.new("RGBA", layer.size, ground), layer).convert("L") for ground in ("white", "black")
    )
    return on_black if contrast(on_black) > 2 * contrast(on_white) else on_white


def contrast(grey: Image.Image) -> int:
    """Grey levels between the darkest and the lightest pixel."""
    darkest, lightest = grey.getextrema()
    return int(lightest) - int(darkest)  # type: ignore[arg-type]


def to_ink(image: Image.Image) -> Image.Image:
    """Convert a picture to "L" with ink 255 and paper 0: paper is the commonest side, ink the farthest grey from it.

    Raises ImageError when ink and paper differ by less than FAINTEST_CONTRAST levels.
    """
    grey = to_grey(image)
    counts = np.cumsum(grey.histogram())
    paper = int(np.searchsorted(counts, counts[-1] / 2))
    darkest = int(np.searchsorted(counts, counts[-1] / 2000, side="right"))
    lightest = int(np.searchsorted(counts, counts[-1] * (1 - 1 / 2000)))
    inked = darkest if paper - darkest >= lightest - paper else lightest
    if abs(inked - paper) < FAINTEST_CONTRAST:
        seen = abs(inked - paper)
        raise ImageError(f"the picture is blank: {seen} grey levels between ink and paper, wanted {FAINTEST_CONTRAST}")
    levels = (np.arange(256) - paper) * (255 / (inked - paper))
    return grey.point(np.clip(levels.round(), 0, 255).astype(int).tolist())


def frame(ink: Image.Image, box: tuple[int, int, int, int], factor: float, margin: int) -> Image.Image:
    """Cut the box and a margin out of the ink and scale it; the margin is in px of the result.

    Scaled together, as the official pictures were halved, so that a stroke falls between pixels in the same way.
    """
    border = round(margin / factor)
    cut = ink.crop((box[0] - border, box[1] - border, box[2] + border, box[3] + border))
    if factor == 1.0:
        return cut
    size = (max(1, int(cut.width * factor)), max(1, int(cut.height * factor)))
    return cut.resize(size, Image.Resampling.LANCZOS)


def pad_to_multiple(ink: Image.Image, multiple: int) -> torch.Tensor:
    """Convert ink to (1, H, W) float32 in 0..1, with paper added right and below up to the multiple."""
    height, width = (-(-side // multiple) * multiple for side in (ink.height, ink.width))
    canvas = np.zeros((1, height, width), dtype=np.float32)
    np.multiply(np.asarray(ink), np.float32(1 / 255), out=canvas[0, : ink.height, : ink.width])
    return torch.from_numpy(canvas)
