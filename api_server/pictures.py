"""The bytes of a picture -> what a model sees of it, with the limits a server needs before anything is decoded."""

import io
from contextlib import suppress

from PIL import Image

from api_server.settings import Settings
from im2latex.errors import ImageError
from im2latex.images import BROKEN_FILE, FORMATS, ImageSpec, Prepared, open_image, prepare_scales


def prepare_picture(data: bytes, spec: ImageSpec, settings: Settings) -> list[Prepared]:
    """Make of a picture file what the model sees, in each scale that its print may be of.

    Raises ImageError for what is no picture, too large, damaged or blank.
    """
    return prepare_scales(open_picture(data, spec, settings), spec)


def open_picture(data: bytes, spec: ImageSpec, settings: Settings) -> Image.Image:
    """Decode a picture file; raises ImageError for what is no picture, too large or damaged."""
    check_sides(data, settings.max_side)
    return open_image(data, min(settings.max_pixels, spec.max_pixels))


def check_sides(data: bytes, longest: int) -> None:
    """Read the size from the file's head; raises ImageError when a side is too long. Broken heads are not judged."""
    width = height = 0
    with suppress(*BROKEN_FILE):
        width, height = Image.open(io.BytesIO(data), formats=FORMATS).size
    if max(width, height) > longest:
        raise ImageError(f"the picture is too large: {width} x {height}, wanted sides of at most {longest} pixels")
