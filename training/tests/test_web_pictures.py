"""Promises of the pictures of web pages: what they show, under which label, and what is left out."""

import io
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from training.web_pictures import ENGINES, main

KATEX = """window.katex = { render(formula, place) {
  if (formula.includes("beta")) throw new Error("refused");
  place.innerHTML = `<p style="margin:0;height:20px;background:black;width:${10 * formula.length}px"></p>`;
} };"""
MATHJAX = """window.MathJax.startup.promise = Promise.resolve();
window.MathJax.tex2svgPromise = async (formula) => {
  const drawn = document.createElement("p");
  window.katex.render(formula, drawn);
  return drawn;
};"""


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    """Engines that draw a bar as long as the formula, and refuse a beta."""
    katex, mathjax = tmp_path / "modules/katex/dist", tmp_path / "modules/mathjax"
    katex.mkdir(parents=True)
    mathjax.mkdir()
    (katex / "katex.min.js").write_text(KATEX)
    (katex / "katex.min.css").write_text("")
    (mathjax / "tex-svg.js").write_text(KATEX + MATHJAX)
    return tmp_path / "modules"


@pytest.mark.needs_browser
@pytest.mark.parametrize("engine", ENGINES)
def test_a_picture_shows_its_label_and_what_is_refused_or_too_wide_is_left_out(
    modules: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], engine: str
) -> None:
    (tmp_path / "list.txt").write_text("x\n\\beta\n" + "x" * 200 + "\n\\frac12\nx\n\\left(\n")
    flags = ["--formulas", str(tmp_path / "list.txt"), "--modules", str(modules), "--out", str(tmp_path / "web")]
    assert main([*flags, "--engine", engine, "--font_sizes", "[16]", "--scales", "[2.0]"]) == 0
    assert "2 of 4 formulas" in capsys.readouterr().out
    labels = dict(line.split("\t") for line in (tmp_path / "web/labels.tsv").read_text().splitlines())
    assert list(labels.values()) == ["x", r"\frac 1 2"]
    with zipfile.ZipFile(tmp_path / "web/images.zip") as archive:
        for name, formula in labels.items():
            ink = Image.open(io.BytesIO(archive.read(name))).point(lambda level: 255 - level).getbbox()
            assert ink is not None
            assert (ink[2] - ink[0], ink[3] - ink[1]) == (20 * len(formula), 40)


def test_without_the_engines_it_says_how_to_get_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "list.txt").write_text("x\n")
    flags = ["--formulas", str(tmp_path / "list.txt"), "--modules", str(tmp_path), "--out", str(tmp_path / "web")]
    assert main(flags) == 1
    assert "npm install katex mathjax" in capsys.readouterr().err
