"""Pages of a PDF to grey pictures cropped to their ink, matched to formulas by named destinations."""

from __future__ import annotations

import ctypes

import pypdfium2
import pypdfium2.raw as pdfium
from PIL import Image, ImageOps

from im2latex.data.look import Look


def rasterise(pdf: bytes, look: Look) -> dict[int, Image.Image | None]:
    """A picture per formula number found in the PDF; None where the page shows nothing."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        return {
            number: _crop(_draw(document, page, look.dpi), look)
            for number, page in _find_pages(document).items()
        }
    finally:
        document.close()


def _find_pages(document: pypdfium2.PdfDocument) -> dict[int, int]:
    """Page index by formula number: the name of each destination says whose page it points to."""
    pages: dict[int, int] = {}
    for index in range(pdfium.FPDF_CountNamedDests(document)):
        length = ctypes.c_long(0)
        pdfium.FPDF_GetNamedDest(document, index, None, length)
        buffer = ctypes.create_string_buffer(length.value)
        destination = pdfium.FPDF_GetNamedDest(document, index, buffer, length)
        name = buffer.raw[: length.value].decode("utf-16-le").rstrip("\0")
        if name.isascii() and name.isdigit():
            pages[int(name)] = pdfium.FPDFDest_GetDestPageIndex(document, destination)
    return pages


def _draw(document: pypdfium2.PdfDocument, index: int, dpi: int) -> Image.Image:
    page = document[index]
    image: Image.Image = page.render(scale=dpi / 72, grayscale=True).to_pil().convert("L")
    page.close()
    return image


def _crop(image: Image.Image, look: Look) -> Image.Image | None:
    """The ink and its margin, halved if the look says so."""
    box = ImageOps.invert(image).getbbox()
    if box is None:
        return None
    image = ImageOps.expand(image.crop(box), look.margin, fill=255)
    if not look.halve:
        return image
    width, height = image.size
    return image.resize((max(1, width // 2), max(1, height // 2)), Image.Resampling.LANCZOS)
