"""Tests of comparing published pictures with ours."""

import numpy as np
import pytest
from PIL import Image

from im2latex.rendering.renderer import Look, render_formulas
from training.render_sheet import agrees, draw_sheet, measure


@pytest.mark.parametrize(("size", "agreeing"), [((102, 48), True), ((103, 50), False), ((100, 47), False)])
def test_pictures_agree_within_two_pixels_each_way(size, agreeing):
    assert agrees(Image.new("L", (100, 50)), Image.new("L", size)) == agreeing


def test_the_sheet_shows_both_pictures_of_a_pair_side_by_side():
    sheet = np.asarray(draw_sheet([(Image.new("L", (40, 10), 80), Image.new("L", (60, 20), 40))]))[
        21:
    ]  # below the headings
    assert (sheet == 80).sum() == 40 * 10
    assert (sheet == 40).sum() == 60 * 20
    assert np.argwhere(sheet == 80)[:, 1].max() < np.argwhere(sheet == 40)[:, 1].min()


@pytest.mark.needs_latex
def test_our_own_pictures_agree_with_ourselves(tmp_path, capsys):
    formulas = ["a + b", r"\sum_{i} x_{i}"]
    for number, rendered in enumerate(render_formulas(formulas, Look(halve=False))):
        assert rendered.image is not None
        rendered.image.save(tmp_path / f"{number}.png")
    labels = tmp_path / "labels.tsv"
    labels.write_text("0.png\ta + b\n1.png\t\\sum_{i} x_{i}\tmore\n1.png\t\\nosuch\n")
    measure(tmp_path, labels, tmp_path / "sheet.png", workers=1)
    said = capsys.readouterr().out
    assert "100.00 % (2 of 2)" in said
    assert r"Undefined control sequence. \nosuch" in said
    assert Image.open(tmp_path / "sheet.png").height > 40
