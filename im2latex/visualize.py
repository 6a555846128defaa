"""Sheets for people: a picture of each formula beside what was read from it."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw
from torch import Tensor

LINE = 14  # pixels a line of text


def image_of(tensor: Tensor) -> Image.Image:
    """A tensor (1, H, W), ink 1 on paper 0, as the grey picture it came from."""
    return Image.fromarray(np.uint8(255 - 255 * tensor.detach().cpu().squeeze(0).clamp(0, 1).numpy()))


def draw_sheet(
    images: Sequence[Image.Image], captions: Sequence[Sequence[str]], width: int = 900
) -> Image.Image:
    """One sheet: each picture, shrunk if wider than `width` pixels, with its lines of caption below."""
    images = [
        image if image.width <= width else image.resize((width, image.height * width // image.width))
        for image in images
    ]
    heights = [image.height + LINE * len(lines) + LINE for image, lines in zip(images, captions, strict=True)]
    sheet = Image.new("RGB", (width, sum(heights)), "white")
    draw, top = ImageDraw.Draw(sheet), 0
    for image, lines, height in zip(images, captions, heights, strict=True):
        sheet.paste(image, (0, top))
        for index, line in enumerate(lines):
            draw.text(
                (4, top + image.height + LINE * index), line, fill=(30, 60, 140) if index else (90, 90, 90)
            )
        top += height
    return sheet
