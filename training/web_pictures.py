"""Take pictures of formulas as web pages show them: by KaTeX, MathJax, or the browser's own MathML.

npm install --prefix web katex mathjax
python training/web_pictures.py --formulas train.tsv.xz --only 'wiki/*' --modules web/node_modules --out web

OUT/images.zip and OUT/labels.tsv are what `prepare_data.py --pictures` packs and `evaluate.py --images` scores. Needs
Chromium (Debian: chromium). What a picture shows is its label's own tokens.
"""

import hashlib
import io
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal, TypeVar

from PIL import Image
from playwright.sync_api import Browser, sync_playwright
from tqdm import tqdm

from im2latex.data.formulas import read_formulas
from im2latex.errors import ConfigError, FormulaError
from im2latex.latex import canonicalize
from training.command import run_command

ENGINES = ("katex", "mathjax", "mathml")
TOGETHER = 60
"""Formulas on a page."""
PAGE_WIDTH = 1600
"""px of the page; wider formulas are left out, since MathJax would break their line."""
NAMES = ("chromium", "chromium-browser", "google-chrome")
SCRIPTS = {"katex": "katex/dist/katex.min.js", "mathml": "katex/dist/katex.min.js", "mathjax": "mathjax/tex-svg.js"}
PAGE = """<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="{modules}/katex/dist/katex.min.css">
<style>body {{ font-size: {size}px }} div {{ display: table; padding: 8px; margin: 4px }}
.katex-display, mjx-container {{ margin: 0 !important }}</style>
<script>MathJax = {{ startup: {{ typeset: false }},
  loader: {{ paths: {{ "mathjax-newcm": "{modules}/@mathjax/mathjax-newcm-font" }} }} }}</script>
<script src="{modules}/{script}"></script>"""
DRAW = """async ([formulas, engine]) => {
  if (engine === "mathjax") await MathJax.startup.promise;
  for (const formula of formulas) {
    const place = document.body.appendChild(document.createElement("div"));
    try {
      if (engine === "mathjax") place.append(await MathJax.tex2svgPromise(formula, { display: true }));
      else katex.render(formula, place,
        { displayMode: true, strict: false, output: engine === "katex" ? "html" : "mathml" });
      if (place.querySelector('[data-mml-node="merror"]')) place.textContent = "";
    } catch { place.textContent = ""; }
  }
  await document.fonts.ready;
  return [...document.querySelectorAll("div")].map((place) => {
    const { x, y, width, height } = place.getBoundingClientRect();
    return place.hasChildNodes() ? [x + scrollX, y + scrollY, x + scrollX + width, y + scrollY + height] : null;
  });
}"""
Box = tuple[float, float, float, float]
Drawn = tuple[str, Image.Image]
Choice = TypeVar("Choice")


@dataclass(frozen=True)
class WebConfig:
    """Which formulas, and what draws them."""

    formulas: str
    """A list as `training/prepare_data.py` reads it."""
    modules: str
    """The node_modules that hold katex and mathjax."""
    out: str
    """The folder to write."""
    only: str = "*"
    """Take formulas whose source fits this pattern."""
    skip: int = 0
    """So many of them are passed over first."""
    limit: int = 1000
    """So many are taken."""
    engine: Literal["katex", "mathjax", "mathml", "any"] = "any"
    """`any`: each formula by one of the three, as often."""
    font_sizes: tuple[int, ...] = (14, 16, 18, 20)
    """px of the text around."""
    scales: tuple[float, ...] = (1.0, 1.25, 1.5, 2.0)
    """Pixels of the screen for a px of the page."""


def take_pictures(config: WebConfig) -> str:
    """Writes pictures and labels; what was done. ConfigError where the browser or a module is missing."""
    modules = Path(config.modules).resolve()
    for name in ("katex", "mathjax"):
        if not (modules / name).is_dir():
            raise ConfigError(f"no {name} in {modules}: npm install katex mathjax there, or name it by --modules")
    wanted = read_wanted(config)
    out = Path(config.out)
    out.mkdir(parents=True, exist_ok=True)
    partial = out / "images.zip.partial"
    labels: list[str] = []
    with zipfile.ZipFile(partial, "w") as archive:
        for formula, picture in tqdm(draw_all(config, modules, wanted), total=len(wanted), unit=" formulas"):
            file, name = io.BytesIO(), f"{len(labels):06d}.png"
            picture.save(file, "PNG")
            archive.writestr(name, file.getvalue())
            labels.append(f"{name}\t{formula}\n")
    partial.replace(out / "images.zip")
    (out / "labels.tsv").write_text("".join(labels), encoding="utf-8")
    return f"{out}: pictures of {len(labels)} of {len(wanted)} formulas; the others the engines refuse, or are too wide"


def read_wanted(config: WebConfig) -> list[str]:
    """The formulas' canonical tokens, each once, in the order of the list."""
    found: dict[str, None] = {}
    for formula in read_formulas(config.formulas):
        if fnmatchcase(formula.source, config.only):
            try:
                found[" ".join(canonicalize(formula.formula))] = None
            except FormulaError:
                continue  # what is no formula to us is no picture either
        if len(found) >= config.skip + config.limit:
            break
    return list(found)[config.skip :]


def draw_all(config: WebConfig, modules: Path, wanted: list[str]) -> Iterator[Drawn]:
    """Each formula with its picture, by way of drawing, which follows from the formula alone."""
    ways: dict[tuple[str, int, float], list[str]] = {}
    for formula in wanted:
        engine = draw(formula, ENGINES) if config.engine == "any" else config.engine
        way = engine, draw(formula, config.font_sizes), draw(formula, config.scales)
        ways.setdefault(way, []).append(formula)
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        command = next(filter(None, map(shutil.which, NAMES)), None)
        if command is None:
            raise ConfigError(f"no browser: wanted one of {', '.join(NAMES)} (Debian: apt-get install chromium)")
        root = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=command, args=["--allow-file-access-from-files", *root])
        for (engine, size, scale), formulas in sorted(ways.items()):
            page = Path(folder) / f"{engine}-{size}.html"
            page.write_text(PAGE.format(modules=modules.as_uri(), size=size, script=SCRIPTS[engine]), encoding="utf-8")
            for start in range(0, len(formulas), TOGETHER):
                yield from draw_page(browser, page, engine, scale, formulas[start : start + TOGETHER])
        browser.close()


def draw_page(browser: Browser, page: Path, engine: str, scale: float, formulas: list[str]) -> Iterator[Drawn]:
    """Those of the formulas that the engine draws, each cut out of one screenshot."""
    tab = browser.new_page(viewport={"width": PAGE_WIDTH, "height": 900}, device_scale_factor=scale)
    tab.goto(page.as_uri())
    boxes: list[Box | None] = tab.evaluate(DRAW, [formulas, engine])
    shot = Image.open(io.BytesIO(tab.screenshot(full_page=True))).convert("L")
    tab.close()
    for formula, box in zip(formulas, boxes, strict=True):
        if box is not None and box[2] < PAGE_WIDTH:
            left, top, right, bottom = (round(scale * edge) for edge in box)
            yield formula, shot.crop((left, top, right, bottom))


def draw(formula: str, choices: tuple[Choice, ...]) -> Choice:
    """One of the choices by the formula, and how many there are."""
    digest = hashlib.blake2b(f"{choices} {formula}".encode(), digest_size=8).digest()
    return choices[int.from_bytes(digest, "big") % len(choices)]


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 when the pictures were written, 1 with a message if not."""
    return run_command(WebConfig, take_pictures, arguments, name="web_pictures.py", usage=__doc__)


if __name__ == "__main__":
    sys.exit(main())
