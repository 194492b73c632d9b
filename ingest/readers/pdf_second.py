"""The second engine: PDFium by pypdfium2, for pages that pypdf cannot read or reads wrongly.

It reads fonts that are not embedded, vertical writing and broken contents, and tells the place and the
width of each character. Loaded only when a page needs it. PDFium is not thread-safe: one thread of a
process may use it (the readers run in processes of their own).
"""

from __future__ import annotations

import ctypes
import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ingest.readers.pdf_lines import STRONG_NAMES, Fragment
from ingest.readers.pdf_vertical import Glyph, fragments_of

# More characters than this are no page that anybody reads.
_MOST_GLYPHS = 400_000
# PDFium's marks for a hyphen at the end of a line.
_HYPHENS = (0x2, 0xFFFE)
_NAME_BYTES = 128


class SecondEngine:
    """A PDF in PDFium, opened at first use.

    `decrypted` gives the file without encryption, for one that pypdf opens and PDFium does not. Whatever
    goes wrong in a method is pypdfium2's `PdfiumError`, or `OSError` where the library cannot be loaded.
    """

    def __init__(self, data: bytes, password: str = "", decrypted: Callable[[], bytes] | None = None) -> None:
        self._data, self._password, self._decrypted = data, password, decrypted
        self._document: Any = None

    def count(self) -> int:
        """Return the number of pages."""
        return len(self._opened())

    def fragments(self, number: int) -> list[Fragment]:
        """Return the pieces of text of a page (1-based) in the order they are drawn, turned upright."""
        with self._page(number) as page:
            turned = page.get_rotation()
            try:
                # PDFium puts lines in order as a reader sees them: the text has to stand upright for it.
                page.set_rotation(0)
                glyphs, upright = _page_glyphs(page)
                if upright:
                    page.set_rotation(upright)
                    glyphs, _ = _page_glyphs(page)
            finally:
                page.set_rotation(turned)
            return fragments_of(glyphs, *page.get_size())

    def picture(self, number: int, dots: float, most_pixels: int) -> Any:
        """Render a page in grey (a PIL image) at so many dots an inch, fewer where it is very large."""
        with self._page(number) as page:
            width, height = page.get_size()
            pixels = max(1.0, width * height) * (dots / 72) ** 2
            scale = dots / 72 * min(1.0, math.sqrt(most_pixels / pixels))
            bitmap = page.render(scale=scale, grayscale=True)
            try:
                # A copy: the bitmap's memory goes with it.
                return bitmap.to_pil().copy()
            finally:
                bitmap.close()

    def close(self) -> None:
        """Give the document's memory back. It opens again when it is used again."""
        if self._document is not None:
            self._document.close()
            self._document = None

    def _opened(self) -> Any:
        if self._document is None:
            from pypdfium2 import PdfDocument, PdfiumError

            try:
                self._document = PdfDocument(self._data, password=self._password or None)
            except PdfiumError:
                if self._decrypted is None:
                    raise
                self._document = PdfDocument(self._decrypted())
        return self._document

    @contextmanager
    def _page(self, number: int) -> Iterator[Any]:
        page = self._opened()[number - 1]
        try:
            yield page
        finally:
            page.close()


def _page_glyphs(page: Any) -> tuple[list[Glyph], int]:
    """Return the characters of a page, and by how many degrees to turn it so that most stand upright."""
    directions: Counter[int] = Counter()
    text = page.get_textpage()
    try:
        glyphs = list(_glyphs(text, directions))
    finally:
        text.close()
    return glyphs, directions.most_common(1)[0][0] if directions else 0


def _glyphs(text: Any, directions: Counter[int]) -> Iterator[Glyph]:
    """Yield the characters of a text page. Spaces and line ends that PDFium adds have no size."""
    import pypdfium2.raw as pdfium

    x, y, box = ctypes.c_double(), ctypes.c_double(), pdfium.FS_RECTF()
    style, last, high = (10.0, 1.0, 0.0, False), 0, 0
    for index in range(min(text.count_chars(), _MOST_GLYPHS)):
        code = pdfium.FPDFText_GetUnicode(text, index)
        if 0xD800 <= code < 0xE000:
            if code < 0xDC00 or not high:
                high = code if code < 0xDC00 else 0
                continue
            code = 0x10000 + ((high - 0xD800) << 10) + (code - 0xDC00)
        high = 0
        if code in _HYPHENS:
            code = 0x2D
        elif code <= 0x20 and pdfium.FPDFText_IsGenerated(text, index) == 1:
            yield Glyph("\n" if code in (10, 13) else " ", 0, 0, 0, 0, False)
            continue
        placed = pdfium.FPDFText_GetCharOrigin(text, index, x, y)
        if not placed or not pdfium.FPDFText_GetLooseCharBox(text, index, box):
            continue
        drawn = ctypes.cast(pdfium.FPDFText_GetTextObject(text, index), ctypes.c_void_p).value or 0
        if drawn != last or not drawn:
            style, last = _style(pdfium, text, index), drawn
        size, cos, sin, strong = style
        directions[round(-math.degrees(math.atan2(sin, cos)) / 90) * 90 % 360] += 1
        along = x.value * cos + y.value * sin
        # The box lies along the axes of the page: the corner that is farthest along the line ends it.
        end = (box.right if cos > 0 else box.left) * cos + (box.top if sin > 0 else box.bottom) * sin
        yield Glyph(chr(code), along, y.value * cos - x.value * sin, max(0.0, end - along), size, strong)


def _style(pdfium: Any, text: Any, index: int) -> tuple[float, float, float, bool]:
    """Return the size of a character in points, the direction of its line (cosine, sine), and if it is bold."""
    matrix, name, flags = pdfium.FS_MATRIX(), ctypes.create_string_buffer(_NAME_BYTES), ctypes.c_int()
    pdfium.FPDFText_GetMatrix(text, index, matrix)
    length = math.hypot(matrix.a, matrix.b) or 1.0
    size = abs(pdfium.FPDFText_GetFontSize(text, index) * math.hypot(matrix.c, matrix.d)) or 10.0
    pdfium.FPDFText_GetFontInfo(text, index, name, _NAME_BYTES, flags)
    font = name.value.decode("latin-1")
    return size, matrix.a / length, matrix.b / length, any(mark in font for mark in STRONG_NAMES)
