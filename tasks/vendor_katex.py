"""Put KaTeX into api_server/static/katex: `npm pack katex`, unpack it, then `python tasks/vendor_katex.py package`.

Only what the page loads: the script, the style sheet with its woff2 fonts, the licence; and the outline of every glyph,
from which the page draws the SVG and PNG it hands out. Needs fonttools, which matplotlib brings.
"""

import argparse
import json
import re
import shutil
from pathlib import Path

from fontTools.pens.svgPathPen import SVGPathPen
from fontTools.ttLib import TTFont

STATIC = Path(__file__).parents[1] / "api_server" / "static" / "katex"
OTHER_FONTS = re.compile(r',url\(fonts/[\w-]+\.(?:woff|ttf)\) format\("(?:woff|truetype)"\)')


def read_outlines(path: Path) -> dict[str, str]:
    """Return the SVG path of every character of a font, y upward, 1000 units an em."""
    font = TTFont(path)
    if font["head"].unitsPerEm != 1000:
        raise SystemExit(f"{path.name} has {font['head'].unitsPerEm} units an em, wanted 1000")
    glyphs = font.getGlyphSet()
    outlines = {}
    for code, name in sorted(font.getBestCmap().items()):
        pen = SVGPathPen(glyphs)
        glyphs[name].draw(pen)
        outlines[chr(code)] = pen.getCommands()
    return outlines


def main() -> None:
    """Replace the folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("package", type=Path, help="the unpacked npm package")
    package = parser.parse_args().package
    shutil.rmtree(STATIC, ignore_errors=True)
    (STATIC / "fonts").mkdir(parents=True)
    (STATIC / "outlines").mkdir()
    shutil.copyfile(package / "LICENSE", STATIC / "LICENSE")
    shutil.copyfile(package / "dist/katex.min.js", STATIC / "katex.min.js")
    style = (package / "dist/katex.min.css").read_text(encoding="utf-8")
    (STATIC / "katex.min.css").write_text(OTHER_FONTS.sub("", style), encoding="utf-8")
    for font in sorted((package / "dist/fonts").glob("*.woff2")):
        shutil.copyfile(font, STATIC / "fonts" / font.name)
    for font in sorted((package / "dist/fonts").glob("*.ttf")):
        text = json.dumps(read_outlines(font), ensure_ascii=False, separators=(",", ":"))
        (STATIC / "outlines" / f"{font.stem}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
