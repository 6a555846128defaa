"""Tests of rendering: the official look, equal bytes, and the pool of workers."""

import io
import subprocess
import sys
import time
from itertools import chain, cycle, islice

import numpy as np
import pytest

from im2latex.errors import RenderError
from im2latex.rendering.look import Look
from im2latex.rendering.renderer import Renderer, render_formulas
from im2latex.tests.rendering import LOOK, NEIGHBOURS, draw, pixels


def png(rendered):
    file = io.BytesIO()
    rendered.image.save(file, "PNG")
    return file.getvalue()


# Sizes of pictures of IM2LATEX-100K as published, (height, width), before halving.
OFFICIAL_SIZES = [
    (r"{d z \over dr} = e^{2 A}, \hspace{1cm}\psi \rightarrow e^{-3 A/2} \psi", (85, 419)),
    (r"\phi=\left( \begin{array}{c} 0\\ \phi_{0} \end{array} \right)", (99, 176)),
    (r"\sum_{j=1}^{r+1}\bar{x}_j^2={r(r+1)\over2},\label{herrootsum}", (105, 265)),
    (r"x^{\pm}=\frac{\left(x^0 \pm x^1\right)}{\sqrt{2}}", (96, 230)),
    (r"M_P^2 = M_s^3 \int dz e^{-2\sigma (z)} \label{fourdim}", (78, 317)),
    (r"\hat{g}=-(dx^0)^2+(dx^1)^2+\Big(dr^2+r^2d\Omega_8^2\Big)\; ,", (66, 573)),
    (r"|D\rangle_0={1\over \sqrt{M}}|{\widetilde D}\rangle_0~.", (91, 268)),
]


@pytest.mark.needs_latex
def test_the_official_look_has_the_sizes_of_the_official_pictures():
    for rendered, (_, (height, width)) in zip(
        draw(*(formula for formula, _ in OFFICIAL_SIZES)), OFFICIAL_SIZES, strict=True
    ):
        assert pixels(rendered).shape == pytest.approx((height // 2, width // 2), abs=2), rendered.formula


@pytest.mark.needs_latex
def test_a_picture_is_black_on_white_with_a_margin_of_four_pixels():
    (rendered,) = draw(r"\rule{20pt}{10pt}")
    image = pixels(rendered)
    ink = np.argwhere(image < 128)
    assert rendered.image.mode == "L"
    assert image[4:-4, 4:-4].max() < 128
    assert ink.min() == 4
    assert tuple(ink.max(axis=0) + 5) == image.shape


@pytest.mark.needs_latex
@pytest.mark.parametrize(
    ("raw", "tokens"),
    [
        (r"\frac{a}{b}^2", r"\frac { a } { b } ^ { 2 }"),
        (r"a\hspace{1.5cm}b", r"a \hspace { 1 . 5 c m } b"),
        (r"\ln x", r"\operatorname { l n } x"),
        (r"\lim_{x} y", r"\operatorname* { l i m } _ { x } y"),
        (r"\pmatrix{a & b \cr c & d}", r"\left( \begin{matrix} a & b \\ c & d \end{matrix} \right)"),
        (r"a \over b", r"\frac { a } { b }"),
    ],
)
def test_raw_latex_and_its_tokens_give_the_same_picture(raw, tokens):
    first, second = draw(raw, tokens)
    assert np.array_equal(pixels(first), pixels(second))


@pytest.mark.needs_latex
def test_same_input_same_bytes_whatever_the_workers_and_the_company():
    formulas = list(islice(cycle([*NEIGHBOURS, r"\nosuch"]), 300))
    first = draw(*formulas)
    second = draw(*formulas, workers=2)
    backwards = draw(*formulas[:8][::-1])[::-1]
    assert [one.index for one in second] == list(range(300))
    for left, right in chain(zip(first, second, strict=True), zip(first[:8], backwards, strict=True)):
        assert left.error == right.error
        assert left.image is None or png(left) == png(right)


@pytest.mark.needs_latex
def test_a_pool_serves_many_lists_and_reads_only_a_little_ahead():
    asked = []

    def formulas():
        for number in range(10_000):
            asked.append(number)
            yield NEIGHBOURS[number % 3]

    with Renderer(LOOK, workers=2) as renderer:
        assert [one.error for one in renderer.render(NEIGHBOURS)] == [None] * 3
        assert next(renderer.render(formulas())).index == 0
        assert len(asked) < 3000


@pytest.mark.needs_latex
def test_the_look_decides():
    formula = r"\sum_{i} x"
    standard = pixels(*draw(formula))
    whole = pixels(*draw(formula, look=Look(halve=False)))
    inline = pixels(*draw(formula, look=Look(style="inline")))
    bold = pixels(*draw(formula, look=Look(bold=True)))
    small = pixels(*draw(formula, look=Look(font_size=10)))
    assert whole.shape == pytest.approx((2 * standard.shape[0], 2 * standard.shape[1]), abs=1)
    assert inline.shape[0] < standard.shape[0]
    assert small.shape < standard.shape
    assert (255 - bold.astype(int)).sum() > 1.05 * (255 - standard.astype(int)).sum()


def test_without_latex_rendering_raises_before_the_first_formula(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RenderError, match="texlive-fonts-recommended"):
        next(render_formulas(["a"], LOOK))


SCRIPT = """
import os, sys
from im2latex.rendering.renderer import Look, Renderer
if __name__ == "__main__":
    with Renderer(Look(), 2) as renderer:
        list(renderer.render(["a"] * 600))
        workers = list(renderer._pool._processes)
        print(*workers, flush=True)
        os.kill(os.getpid(), 9)
"""


@pytest.mark.needs_latex
def test_workers_leave_when_their_parent_is_killed(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run([sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    workers = [int(word) for word in done.stdout.split()]
    assert len(workers) == 2
    deadline = time.monotonic() + 30
    while any(_is_running(worker) for worker in workers):
        assert time.monotonic() < deadline, "a worker outlived its parent"
        time.sleep(0.1)


def _is_running(pid):
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], stdout=subprocess.PIPE, text=True).stdout
    return bool(state.strip()) and not state.startswith("Z")
