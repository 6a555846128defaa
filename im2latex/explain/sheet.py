"""One sheet: the picture once for each token; and the feature maps of the encoder."""

import textwrap

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from im2latex.explain.palette import BLACK, BLUE, GREY, VERMILLION, Overlay, font, is_unsure, percent
from im2latex.explanation import Explanation

WIDTH = 1280
GAP = 16
CAPTION = 24
CELL = 300
"""A cell is at least this wide, so that the ink of a wide formula can still be seen in it."""
MOST_COLUMNS = 6
"""Where there are many tokens: narrower cells could not hold their captions."""
MAX_HEIGHT = 4000
MAX_MAPS = 64
"""Feature maps on a sheet: those that vary most."""


def draw_attention(explanation: Explanation) -> Image.Image:
    """The picture once for each token, with what was looked at, the token and its confidence."""
    found = explanation.prediction
    tokens = found.tokens.split()
    title = textwrap.wrap(found.latex, 130) or ["nothing was read"]
    top = GAP + CAPTION * (len(title) + 1) + GAP
    columns, overlay = arrange(explanation, len(tokens), MAX_HEIGHT - top - GAP)
    down = overlay.size[0] + CAPTION + GAP
    across = (WIDTH - GAP) // columns
    sheet = Image.new("RGB", (WIDTH, top + down * -(-len(tokens) // columns) + GAP), "white")
    draw = ImageDraw.Draw(sheet)
    for row, line in enumerate(title):
        draw.text((GAP, GAP + CAPTION * row), line, BLACK, font(18))
    unsure = sum(map(is_unsure, found.token_confidences))
    summary = f"Confidence {percent(found.confidence)}. {unsure} of {len(tokens)} tokens are doubtful: over a bar."
    draw.text((GAP, GAP + CAPTION * len(title)), summary, GREY, font(15))
    for place, (token, confidence) in enumerate(zip(tokens, found.token_confidences, strict=True)):
        corner = (GAP + across * (place % columns), top + down * (place // columns))
        sheet.paste(overlay.draw(place), (corner[0], corner[1] + CAPTION))
        draw_caption(draw, corner, f"{place + 1}  {token}", confidence)
    return sheet


def arrange(explanation: Explanation, tokens: int, height: int) -> tuple[int, Overlay]:
    """The fewest columns that suit the picture's width and leave the cells within the height; smaller cells if none."""
    suits = (WIDTH - GAP) // (1.5 * explanation.image.width + GAP)
    columns = int(np.clip(suits, 1, (WIDTH - GAP) // (CELL + GAP)))
    while True:
        overlay = Overlay(explanation, (WIDTH - GAP) // columns - GAP, 400)
        room = height // max(1, -(-tokens // columns)) - CAPTION - GAP
        if overlay.size[0] <= room:
            return columns, overlay
        if columns == MOST_COLUMNS:
            return columns, Overlay(explanation, overlay.max_width, max(1, room))
        columns += 1


def draw_caption(draw: ImageDraw.ImageDraw, corner: tuple[int, int], text: str, confidence: float) -> None:
    """A token, its confidence, and a thick bar under both where it is doubtful."""
    x, y = corner
    colour = VERMILLION if is_unsure(confidence) else BLACK
    draw.text((x, y), text, colour, font(15))
    end = x + draw.textlength(text, font(15)) + 10
    draw.text((end, y + 2), percent(confidence), GREY, font(12))
    if is_unsure(confidence):
        draw.rectangle((x, y + 19, end + draw.textlength(percent(confidence), font(12)), y + 21), VERMILLION)


def draw_features(maps: NDArray[np.float32]) -> Image.Image:
    """Feature maps (C, h, w), those that vary most first: dark blue where a map is highest, white where lowest."""
    order = np.argsort(-maps.std(axis=(1, 2)), kind="stable")[:MAX_MAPS]
    height, width = maps.shape[1:]
    columns = min(len(order), max(1, min(8, (WIDTH - GAP) // (width + GAP))))
    across = (WIDTH - GAP) // columns
    scale = (across - GAP) / width
    shown = (across - GAP, max(1, round(height * scale)))
    down = shown[1] + CAPTION + GAP
    sheet = Image.new("RGB", (WIDTH, GAP + down * -(-len(order) // columns)), "white")
    draw = ImageDraw.Draw(sheet)
    for place, channel in enumerate(order):
        corner = (GAP + across * (place % columns), GAP + down * (place // columns))
        draw.text(corner, f"channel {channel}", GREY, font(13))
        left, top = corner[0], corner[1] + CAPTION
        sheet.paste(shade(maps[channel]).resize(shown, Image.Resampling.NEAREST), (left, top))
        draw.rectangle((left, top, left + shown[0], top + shown[1]), None, GREY)
    return sheet


def shade(values: NDArray[np.float32]) -> Image.Image:
    """A map from white at its lowest to dark blue at its highest: lightness alone tells the order."""
    share = (values - values.min()) / max(float(np.ptp(values)), 1e-12)
    stops = np.array([(255, 255, 255), BLUE, (0, 20, 50)], dtype=np.float32)
    colours = [np.interp(share, (0.0, 0.6, 1.0), stops[:, part]) for part in range(3)]
    return Image.fromarray(np.stack(colours, axis=-1).astype(np.uint8))
