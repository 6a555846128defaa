"""The official layout of IM2LATEX-100K: reads its lists and pictures, and packs them."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from PIL import Image, ImageChops

from im2latex.data.formulas import Formula
from im2latex.data.pack import Drawn, PackConfig, Readable, Report, pack
from im2latex.errors import DataError

FORMULAS = "im2latex_formulas.lst"
LISTS = {"train": "im2latex_train.lst", "val": "im2latex_validate.lst", "test": "im2latex_test.lst"}
PICTURES = "formula_images"
MARGIN = 8  # pixels of paper around the ink, before halving


def is_official(folder: Path) -> bool:
    """Whether `folder` has the official layout: the formula list, three split lists, a folder of pictures."""
    return all((folder / name).exists() for name in (FORMULAS, *LISTS.values(), PICTURES))


def read_official(folder: Path, split: str) -> list[Formula]:
    """The formulas of a split, each with the name of its picture as source.

    A line of a split list is "formula picture rendering", the formula counted from 0. Raises DataError if a
    list is not like that.
    """
    # Some formulas contain carriage returns and stray Latin-1 bytes; only "\n" ends a line.
    formulas = (folder / FORMULAS).read_bytes().decode("latin-1").split("\n")
    found = []
    for number, line in enumerate((folder / LISTS[split]).read_text(encoding="ascii").splitlines(), start=1):
        cells = line.split()
        if len(cells) < 2 or not cells[0].isdigit() or int(cells[0]) >= len(formulas):
            raise DataError(f"{LISTS[split]}, line {number}: wanted 'formula picture rendering' in range")
        found.append(Formula(formulas[int(cells[0])], f"{cells[1]}.png"))
    return found


def pack_official(
    folder: Path, out: Path, *, workers: int = 1, config: PackConfig | None = None
) -> dict[str, Report]:
    """Packs all splits into `out`/train, val and test; what is packed already is kept.

    The pictures, whole pages, are cropped to their ink and halved: the look that `Look()` renders.
    """
    reports = {}
    # "spawn": a fork would copy the locks of whatever threads the caller runs.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:

        def draw(part: list[Readable]) -> Iterator[Drawn]:
            read = partial(_draw, folder / PICTURES)
            names = [formula.source for formula, _ in part]
            return pool.map(read, names, chunksize=64) if workers > 1 else map(read, names)

        for split in LISTS:
            formulas = read_official(folder, split)
            facts = {"pictures": "official"}
            reports[split] = pack(formulas, out / split, draw, facts, config or PackConfig())
    return reports


def crop_and_halve(page: Image.Image) -> Image.Image | None:
    """The ink of a page with MARGIN pixels of white around it, at half its size; None for a blank page."""
    if page.has_transparency_data:
        page = Image.alpha_composite(Image.new("RGBA", page.size, "white"), page.convert("RGBA"))
    grey = page.convert("L")
    box = ImageChops.invert(grey).getbbox()
    if box is None:
        return None
    left, top, right, bottom = box
    framed = Image.new("L", (right - left + 2 * MARGIN, bottom - top + 2 * MARGIN), 255)
    framed.paste(grey.crop(box), (MARGIN, MARGIN))
    return framed.resize((framed.width // 2, framed.height // 2), Image.Resampling.LANCZOS)


def _draw(pictures: Path, name: str) -> Drawn:
    try:
        with Image.open(pictures / name) as page:
            image = crop_and_halve(page)
    except OSError as error:
        return Drawn(None, f"the picture cannot be read: {type(error).__name__}")
    return Drawn(image, None if image else "the picture is blank")
