"""What the tests of rendering share: harmless formulas, and rendering in one line."""

import numpy as np

from im2latex.rendering.look import Look
from im2latex.rendering.renderer import render_formulas

LOOK = Look()
NEIGHBOURS = (
    r"\frac{a}{b} + \alpha",
    r"\sum_{i=1}^{n} x_{i}^{2}",
    r"\begin{pmatrix} a & b \\ c & d \end{pmatrix}",
)


def draw(*formulas, look=LOOK, workers=1):
    return list(render_formulas(formulas, look, workers))


def pixels(rendered):
    assert rendered.error is None, f"{rendered.formula}: {rendered.error}"
    return np.asarray(rendered.image)
