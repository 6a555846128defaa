"""Take the pictures of the page that the README shows: `python tasks/screenshots.py` writes docs/images/page_*.png.

Starts `im2latex serve` with the bundled model, hands it pictures of the small test set, and takes the page as Chromium
shows it: by day, by night, and on a phone. What is read is what the model reads.
"""

import argparse
import io
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow.parquet as pq
import requests
from PIL import Image
from playwright.sync_api import Page, expect

from api_server.tests.browser import PATIENCE, hand_over, open_page, running_chromium

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "im2latex/data/small/test/shard-00000.parquet"
COLOURS = 256
LOOKS = {
    "light": {"viewport": {"width": 1120, "height": 1010}, "device_scale_factor": 1.5},
    "dark": {"viewport": {"width": 1120, "height": 1010}, "device_scale_factor": 1.5, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2},
}


@contextmanager
def serving(port: int) -> Iterator[str]:
    """The address of a server with the bundled model, once it is ready."""
    process = subprocess.Popen([sys.executable, "-m", "im2latex.cli", "serve", "--port", str(port)], cwd=ROOT)
    address = f"http://127.0.0.1:{port}"
    try:
        while process.poll() is None:
            try:
                if requests.get(f"{address}/readyz", timeout=30).ok:
                    break
            except requests.ConnectionError:
                time.sleep(0.5)
        yield address
    finally:
        process.terminate()
        process.wait()


def take(page: Page, files: list[tuple[str, bytes]]) -> bytes:
    """Have the pictures read; return the page as a PNG."""
    hand_over(page, "drop", *files)
    expect(page.locator("#earlier-list li")).to_have_count(len(files))
    page.mouse.move(0, 0)
    return page.screenshot(timeout=PATIENCE)


def save_small(data: bytes, path: Path) -> None:
    """Write a PNG with few colours, so that it is small."""
    with Image.open(io.BytesIO(data)) as image:
        few = image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        few.save(path, optimize=True)
    print(f"{path} {path.stat().st_size:,} bytes")


def main() -> None:
    """Take all three."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs/images")
    parser.add_argument("--rows", type=int, nargs="+", default=[17, 3], help="rows of the small test set to show")
    parser.add_argument("--port", type=int, default=8899)
    flags = parser.parse_args()
    images = pq.read_table(PICTURES, columns=["image"])["image"].to_pylist()
    files = [(f"formula-{row}.png", images[row]) for row in flags.rows]
    with serving(flags.port) as address, running_chromium() as browser:
        for name, look in LOOKS.items():
            with open_page(browser, address, **look) as page:
                save_small(take(page, files), flags.out / f"page_{name}.png")


if __name__ == "__main__":
    main()
