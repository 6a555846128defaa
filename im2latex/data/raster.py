"""Pages of a PDF become grey pictures cropped to their ink, found by the mark of their formula."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator

import pypdfium2
import pypdfium2.raw as pdfium
from PIL import Image, ImageOps

from im2latex.data.look import Look


def rasterise(pdf: bytes, look: Look) -> Iterator[tuple[int, Image.Image]]:
    """The number of each formula in the PDF and its whole page, mode "L", black on white."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        for number, index in _find_pages(document).items():
            page = document[index]
            yield number, page.render(scale=look.dpi / 72, grayscale=True).to_pil()
            page.close()
    finally:
        document.close()


def crop(page: Image.Image, look: Look) -> Image.Image | None:
    """The ink and its margin, halved if the look says so; None when there is no ink."""
    box = ImageOps.invert(page).getbbox()
    if box is None:
        return None
    image = ImageOps.expand(page.crop(box), look.margin, fill=255)
    if not look.halve:
        return image
    width, height = image.size
    return image.resize((max(1, width // 2), max(1, height // 2)), Image.Resampling.LANCZOS)


def is_cut(page: Image.Image) -> bool:
    """True when ink touches the edge of the page: some of it may lie outside."""
    box = ImageOps.invert(page).getbbox()
    width, height = page.size
    return box is not None and (box[0] == 0 or box[1] == 0 or box[2] == width or box[3] == height)


def _find_pages(document: pypdfium2.PdfDocument) -> dict[int, int]:
    """The page of each formula: a named destination says whose page it is, whatever the order."""
    pages: dict[int, int] = {}
    for index in range(pdfium.FPDF_CountNamedDests(document)):
        length = ctypes.c_long(0)
        pdfium.FPDF_GetNamedDest(document, index, None, length)
        name = ctypes.create_string_buffer(length.value)
        destination = pdfium.FPDF_GetNamedDest(document, index, name, length)
        pages[int(name.raw.decode("utf-16-le").rstrip("\0"))] = pdfium.FPDFDest_GetDestPageIndex(
            document, destination
        )
    return pages
