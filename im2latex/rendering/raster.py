"""Pages of a PDF become grey pictures cropped to their ink, found by the mark of their formula."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator

import pypdfium2
import pypdfium2.raw as pdfium
from PIL import Image, ImageOps

from im2latex.rendering.look import Look

MAX_PIXELS = 16_000_000  # a page beyond this is a mistake or an attack: nothing is drawn
TOO_LARGE = "the formula is too large"
STICKS_OUT = "the formula sticks out of its page"
NO_INK = "the formula shows nothing"
NOT_DRAWN = frozenset([TOO_LARGE, STICKS_OUT, NO_INK])
"""Reasons for having no picture of a formula that TeX itself accepted."""

_PDFIUM = threading.Lock()  # the library bears one thread at a time


def rasterise(pdf: bytes, look: Look) -> Iterator[tuple[int, Image.Image | str]]:
    """The number of each formula in the PDF, and its picture (mode "L") or what forbids to make one."""
    with _PDFIUM:
        document = pypdfium2.PdfDocument(pdf)
        try:
            for number, index in _find_pages(document).items():
                page = document[index]
                yield number, _draw(page, look)
                page.close()
        finally:
            document.close()


def _draw(page: pypdfium2.PdfPage, look: Look) -> Image.Image | str:
    scale = look.dpi / 72
    width, height = page.get_size()
    if width * height * scale**2 > MAX_PIXELS:
        return TOO_LARGE
    if not _holds_all(page):
        return STICKS_OUT
    image: Image.Image = page.render(scale=scale, grayscale=True).to_pil()
    return _crop(image, look) or NO_INK


def _crop(image: Image.Image, look: Look) -> Image.Image | None:
    """The ink and its margin, halved if the look says so; None when there is no ink."""
    box = ImageOps.invert(image).getbbox()
    if box is None:
        return None
    image = ImageOps.expand(image.crop(box), look.margin, fill=255)
    if not look.halve:
        return image
    width, height = image.size
    return image.resize((max(1, width // 2), max(1, height // 2)), Image.Resampling.LANCZOS)


def _holds_all(page: pypdfium2.PdfPage) -> bool:
    """True when every letter and rule lies on the page: else the picture would silently lack it."""
    width, height = page.get_size()
    left, bottom, right, top = (ctypes.c_float() for _ in range(4))
    for index in range(pdfium.FPDFPage_CountObjects(page)):
        item = pdfium.FPDFPage_GetObject(page, index)
        pdfium.FPDFPageObj_GetBounds(item, left, bottom, right, top)
        if left.value < 0 or bottom.value < 0 or right.value > width or top.value > height:
            return False
    return True


def _find_pages(document: pypdfium2.PdfDocument) -> dict[int, int]:
    """The page of each formula: a named destination says whose page it is, whatever the order."""
    pages: dict[int, int] = {}
    for index in range(pdfium.FPDF_CountNamedDests(document)):
        length = ctypes.c_long(0)
        pdfium.FPDF_GetNamedDest(document, index, None, length)
        buffer = ctypes.create_string_buffer(length.value)
        destination = pdfium.FPDF_GetNamedDest(document, index, buffer, length)
        name = buffer.raw.decode("utf-16-le", errors="replace").rstrip("\0")
        if name.isdecimal():  # other names are the formula's own
            pages[int(name)] = pdfium.FPDFDest_GetDestPageIndex(document, destination)
    return pages
