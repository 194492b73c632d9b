"""A page of a PDF as an image, made in a process of its own: a file that breaks PDFium breaks nothing else."""

from __future__ import annotations

import io
import os
import pickle
import sys
from dataclasses import dataclass
from typing import Any

from kernel.library.highlight import places

MOST_PIXELS = 4000
"""Of the longer side of an image."""
_FILL = (255, 213, 0)
_OPACITY = 0.4


@dataclass(frozen=True, slots=True)
class PageRequest:
    """What to draw: a page from 1, so many pixels wide, and where a quote stands on it (see `highlight.places`).

    `memory` is in bytes, of the process.
    """

    path: str
    page: int
    width: int
    quote: str
    before: float
    memory: int


@dataclass(frozen=True, slots=True)
class PageImage:
    """A page as PNG. `boxes` are where the quote stands, in pixels: (left, top, right, bottom)."""

    png: bytes
    width: int
    height: int
    boxes: tuple[tuple[int, int, int, int], ...]


def render(request: PageRequest) -> PageImage | str:
    """Draw a page; a text says why it cannot be."""
    from pypdfium2 import PdfDocument, PdfiumError

    try:
        with PdfDocument(request.path) as document:
            if not 1 <= request.page <= len(document):
                return f"the file has {len(document)} pages, and no page {request.page}"
            page = document[request.page - 1]
            width, height = page.get_size()
            scale = min(request.width / max(width, 1), MOST_PIXELS / max(width, height, 1))
            bitmap = page.render(scale=scale)
            convert = bitmap.get_posconv(page)
            boxes = tuple(
                _box(convert, rectangle) for rectangle in _rectangles(page, request.quote, request.before)
            )
            image = _marked(bitmap.to_pil(), boxes)
    except PdfiumError as error:
        return f"the page cannot be drawn: {error}"
    out = io.BytesIO()
    image.save(out, "PNG")
    return PageImage(out.getvalue(), image.width, image.height, boxes)


def _rectangles(page: Any, quote: str, before: float) -> list[tuple[float, float, float, float]]:
    """Return where a quote stands on a page, in points: (left, bottom, right, top)."""
    if not quote:
        return []
    import pypdfium2.raw as pdfium

    text_page = page.get_textpage()
    # By character, since the text as a whole leaves some out and would not count as the page does.
    codes = (pdfium.FPDFText_GetUnicode(text_page, place) for place in range(text_page.count_chars()))
    text = "".join(chr(code) if 0 < code < 0x110000 else " " for code in codes)
    found = []
    for start, end in places(quote, text, before):
        count = text_page.count_rects(start, end - start)
        found += [text_page.get_rect(number) for number in range(count)]
    return found


def _box(convert: Any, rectangle: tuple[float, float, float, float]) -> tuple[int, int, int, int]:
    left, bottom, right, top = rectangle
    corners = [convert.to_bitmap(x, y) for x, y in ((left, bottom), (right, top))]
    across, down = sorted(x for x, _ in corners), sorted(y for _, y in corners)
    return across[0] - 1, down[0] - 1, across[1] + 1, down[1] + 1


def _marked(image: Any, boxes: tuple[tuple[int, int, int, int], ...]) -> Any:
    """Lay a colour over places of an image, as a marker pen does: what is dark stays dark."""
    from PIL import Image, ImageChops, ImageDraw

    image = image.convert("RGB")
    if not boxes:
        return image
    pen = Image.new("RGB", image.size, (255, 255, 255))
    draw = ImageDraw.Draw(pen)
    for box in boxes:
        draw.rectangle(box, fill=_FILL)
    return ImageChops.multiply(image, Image.blend(Image.new("RGB", image.size, "white"), pen, _OPACITY))


def main() -> None:
    """Draw the page that standard input asks for."""
    request: PageRequest = pickle.loads(sys.stdin.buffer.read())  # noqa: S301 - both ends are this program
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not get between
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (request.memory, request.memory))
    pickle.dump(render(request), out)
    out.close()
