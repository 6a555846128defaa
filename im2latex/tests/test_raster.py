"""Tests of finding pages and their formulas."""

import pytest
from PIL import Image

from im2latex.rendering.look import Look
from im2latex.rendering.raster import rasterise
from im2latex.rendering.tex import run_latex


@pytest.mark.needs_latex
def test_pages_are_found_by_their_mark_not_by_counting(tmp_path):
    look = Look(preamble=r"\AtBeginDocument{\shipout\hbox{a page too many}}")
    run = run_latex({70: "a", 3: r"\sum"}, look, tmp_path, with_amsmath=False)
    assert run.pdf is not None
    pages = dict(rasterise(run.pdf, look))
    assert sorted(pages) == [3, 70]
    heights = {number: page.height for number, page in pages.items() if isinstance(page, Image.Image)}
    assert heights[3] > heights[70]  # the sum is the larger one
