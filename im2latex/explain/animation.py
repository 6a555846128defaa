"""An animated GIF: a frame for each token, the picture above, the formula below as far as it is written."""

from pathlib import Path

from PIL import Image, ImageDraw

from im2latex.explain.palette import BLACK, BLUE, GREY, PALE, VERMILLION, Overlay, font, is_unsure, percent
from im2latex.explanation import Explanation

WIDTH = 800
MARGIN = 16
LINE = 26
FRAME_MS = 350
"""Each token is shown so long; a doubtful one, and the last, longer."""
DOUBT_MS = 1000


def save_animation(explanation: Explanation, path: Path) -> None:
    """Write the GIF, which begins anew at its end."""
    confidences = explanation.prediction.token_confidences
    frames = draw_frames(explanation)
    seconds = [DOUBT_MS if is_unsure(confidence) else FRAME_MS for confidence in confidences] or [DOUBT_MS]
    seconds[-1] = 3 * DOUBT_MS
    frames[0].save(path, "GIF", save_all=True, append_images=frames[1:], duration=seconds, loop=0, optimize=False)


def draw_frames(explanation: Explanation) -> list[Image.Image]:
    """A frame a token, in 64 colours; one empty frame where nothing was read."""
    overlay = Overlay(explanation, WIDTH - 2 * MARGIN, 500)
    tokens = explanation.prediction.tokens.split()
    corners = lay_out(tokens)
    height = overlay.size[0] + 3 * MARGIN + LINE * 2 + (corners[-1][1] if corners else 0)
    frames = []
    for place in range(len(tokens)):
        frame = Image.new("RGB", (WIDTH, height), "white")
        frame.paste(overlay.draw(place), (MARGIN, MARGIN))
        write_tokens(ImageDraw.Draw(frame), explanation, place, corners, overlay.size[0] + 2 * MARGIN)
        frames.append(frame.quantize(64, dither=Image.Dither.NONE))
    return frames or [Image.new("P", (WIDTH, height), 255)]


def lay_out(tokens: list[str]) -> list[tuple[int, int]]:
    """Where each token stands below the picture, in lines as wide as the frame."""
    corners, x, y = [], MARGIN, 0
    for token in tokens:
        width = int(font(16).getlength(token)) + 10
        if x + width > WIDTH - MARGIN and x > MARGIN:
            x, y = MARGIN, y + LINE
        corners.append((x, y))
        x += width
    return corners


def write_tokens(
    draw: ImageDraw.ImageDraw, explanation: Explanation, now: int, corners: list[tuple[int, int]], top: int
) -> None:
    """All tokens: those not yet read pale, the newest in a frame, the doubtful over a bar."""
    found = explanation.prediction
    for place, (token, confidence) in enumerate(zip(found.tokens.split(), found.token_confidences, strict=True)):
        x, y = corners[place][0], top + corners[place][1]
        draw.text((x, y), token, BLACK if place <= now else PALE, font(16))
        end = x + int(font(16).getlength(token))
        if place <= now and is_unsure(confidence):
            draw.rectangle((x, y + 19, end, y + 21), VERMILLION)
        if place == now:
            draw.rectangle((x - 4, y - 2, end + 4, y + 23), None, BLUE, 2)
    confidence = found.token_confidences[now]
    doubt = ", doubtful" if is_unsure(confidence) else ""
    line = top + corners[-1][1] + LINE + 6
    draw.text((MARGIN, line), f"{now + 1} of {len(corners)}: {percent(confidence)}{doubt}", GREY, font(14))
