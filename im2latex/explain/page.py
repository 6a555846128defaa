"""A page with a slider, complete in one file: the picture, the tokens, and where the model looked."""

import base64
import io
import json
from pathlib import Path

import numpy as np

from im2latex.explain.palette import UNSURE, Overlay
from im2latex.explanation import Box, Explanation

TEMPLATE = Path(__file__).with_name("page.html")
MAX_SIDES = (1600, 1200)
"""Larger pictures are shown in this width and height."""


def write_page(explanation: Explanation) -> str:
    """The page as HTML; it asks nothing of any network."""
    data = json.dumps(describe(explanation), ensure_ascii=True).replace("<", "\\u003c")
    return TEMPLATE.read_text(encoding="utf-8").replace("{{DATA}}", data)


def describe(explanation: Explanation) -> dict[str, object]:
    """What the page's script reads: boxes as shares of the picture, maps as bytes."""
    overlay = Overlay(explanation, *MAX_SIDES)
    found, maps = explanation.prediction, explanation.attention.maps
    strongest = maps.max(axis=(1, 2), keepdims=True, initial=1e-12)
    return {
        "latex": found.latex,
        "confidence": found.confidence,
        "unsure": UNSURE,
        "tokens": [
            {"token": token, "confidence": confidence, "box": to_shares(explanation, box)}
            for token, confidence, box in zip(
                found.tokens.split(), found.token_confidences, explanation.boxes, strict=True
            )
        ],
        "picture": to_data_url(overlay),
        "width": overlay.size[1],
        "height": overlay.size[0],
        "region": to_shares(explanation, explanation.attention.region),
        "grid": list(maps.shape[1:]),
        "maps": base64.b64encode(np.round(255 * maps / strongest).astype(np.uint8).tobytes()).decode(),
    }


def to_shares(explanation: Explanation, box: Box) -> list[float]:
    """A box in shares of the picture's width and height."""
    width, height = explanation.image.size
    return [round(edge / side, 5) for edge, side in zip(box, (width, height, width, height), strict=True)]


def to_data_url(overlay: Overlay) -> str:
    """The picture as a PNG inside the page."""
    file = io.BytesIO()
    overlay.paper.save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
