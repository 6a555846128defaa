"""Draw a sheet for people: pictures, the LaTeX that was read from each, and that LaTeX rendered again.

python training/draw_readings.py --images images.zip --labels labels.tsv --out sheet.png --count 10
python training/draw_readings.py --images images.zip --labels labels.tsv --out wrong.png --wrong_in predictions.tsv
"""

import io
from collections.abc import Sequence
from pathlib import Path

from jsonargparse import auto_cli
from PIL import Image

from im2latex.predictor import Predictor
from im2latex.rendering.renderer import Look, render_formulas
from im2latex.visualize import draw_sheet
from training.labelled import open_labelled
from training.scored import read_table

GAP = 24  # pixels between a picture and its LaTeX rendered again


def draw_readings(
    images: Path,
    labels: Path,
    out: Path,
    bundle: str | None = None,
    count: int = 10,
    skip: int = 0,
    halve: bool = True,
    wrong_in: Path | None = None,
) -> None:
    """Reads `count` labelled pictures after the first `skip`; `halve` brings 200 dpi beside our 100 dpi.

    `wrong_in`: what `evaluate.py --image_match true` wrote; only what looked wrong there.
    """
    pictures = open_labelled(images, labels)
    rows: Sequence[int] = range(len(pictures.names))
    if wrong_in is not None:
        wrong = {row["name"] for row in read_table(wrong_in) if row["image_match"] == "0"}
        rows = [row for row in rows if pictures.names[row] in wrong]
    predictor = Predictor.load(bundle)
    shown = [Image.open(io.BytesIO(pictures.read(row))).convert("L") for row in rows[skip : skip + count]]
    predictions = predictor.predict_batch(shown)
    rendered = list(render_formulas([prediction.latex for prediction in predictions], Look()))
    pairs = []
    for picture, again in zip(shown, rendered, strict=True):
        if halve:
            picture = picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.LANCZOS)
        pairs.append(_side_by_side(picture, again.image))
    captions = [
        (f"confidence {prediction.confidence:.2f}" + (f", does not compile: {again.error}" if again.error else ""),
         *_wrap(prediction.latex))
        for prediction, again in zip(predictions, rendered, strict=True)
    ]  # fmt: skip
    draw_sheet(pairs, captions, width=max(pair.width for pair in pairs)).save(out)


def _side_by_side(picture: Image.Image, again: Image.Image | None) -> Image.Image:
    """The picture, and to its right what was read, rendered; grey where that does not compile."""
    right = again if again is not None else Image.new("L", (60, 20), 200)
    pair = Image.new("L", (picture.width + GAP + right.width, max(picture.height, right.height)), 255)
    pair.paste(picture, (0, 0))
    pair.paste(right, (picture.width + GAP, 0))
    return pair


def _wrap(text: str, width: int = 130) -> list[str]:
    return [text[start : start + width] for start in range(0, len(text), width)] or [""]


if __name__ == "__main__":
    auto_cli(draw_readings, as_positional=False)
