"""Parts of the gallery's page: pictures as data addresses, and token lists with their differences marked."""

import base64
import io
from collections.abc import Sequence
from html import escape

from PIL import Image
from rapidfuzz.distance import Levenshtein

WIDEST = 1000  # pixels; wider pictures are shrunk
GREYS = 16  # enough for letters, and half the bytes of all


def figure(image: Image.Image, caption: str) -> str:
    """A grey picture with its caption; the bytes are inside."""
    if image.width > WIDEST:
        image = image.resize((WIDEST, max(1, image.height * WIDEST // image.width)), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    image.quantize(GREYS).save(stream, "PNG", optimize=True)
    data = base64.b64encode(stream.getvalue()).decode()
    size = f'width="{image.width}" height="{image.height}"'
    picture = f'<img src="data:image/png;base64,{data}" {size} alt="{escape(caption)}">'
    return f"<figure><figcaption>{escape(caption)}</figcaption><div>{picture}</div></figure>"


def missing_figure(reason: str, caption: str) -> str:
    """The place of a picture that there is not, with the reason."""
    return f"<figure><figcaption>{escape(caption)}</figcaption><em>none: {escape(reason)}</em></figure>"


def mark_differences(reference: Sequence[str], prediction: Sequence[str]) -> tuple[str, str]:
    """Both token lists as HTML, with what must be edited marked, and a gap where the other side has more."""
    left, right = [], []
    for edit in Levenshtein.opcodes(list(reference), list(prediction)):
        missed = escape(" ".join(reference[edit.src_start : edit.src_end]))
        added = escape(" ".join(prediction[edit.dest_start : edit.dest_end]))
        if edit.tag == "equal":
            left.append(missed)
            right.append(added)
            continue
        left.append(f"<del>{missed}</del>" if missed else _gap("del"))
        right.append(f"<ins>{added}</ins>" if added else _gap("ins"))
    return " ".join(left), " ".join(right)


def _gap(tag: str) -> str:
    return f'<{tag} class="gap">&nbsp;&nbsp;</{tag}>'
