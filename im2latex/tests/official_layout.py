"""A tiny data set in the official layout of IM2LATEX-100K, drawn for tests."""

from pathlib import Path

from PIL import Image, ImageDraw

NAMES = {"train": "im2latex_train.lst", "val": "im2latex_validate.lst", "test": "im2latex_test.lst"}


def make_official(folder: Path) -> Path:
    """Nine formulas, three a split; pages as published: black ink on a transparent page, mostly empty.

    The ink of picture n is a box of 101 + 2n by 41 pixels. Formula 2 holds a carriage return, 3 a Latin-1 byte.
    """
    (folder / "formula_images").mkdir(parents=True)
    formulas = [f"x_{{{number}}} = {number}".encode() for number in range(9)]
    formulas[2] = b"x_2 \r = 2"
    formulas[3] = b"\\mbox{caf\xe9} = 3"
    (folder / "im2latex_formulas.lst").write_bytes(b"\n".join(formulas) + b"\n")
    for place, name in enumerate(NAMES.values()):
        numbers = range(3 * place, 3 * place + 3)
        lines = [f"{number} picture{number} basic\n" for number in numbers]
        (folder / name).write_text("".join(lines), encoding="ascii")
    for number in range(9):
        page = Image.new("RGBA", (400, 500), (255, 255, 255, 0))
        ImageDraw.Draw(page).rectangle((100, 90, 200 + 2 * number, 130), fill=(0, 0, 0, 255))
        page.save(folder / "formula_images" / f"picture{number}.png")
    return folder
