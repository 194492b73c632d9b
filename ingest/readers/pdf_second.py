"""The second engine: PDFium by pypdfium2, for pages that pypdf cannot read or reads wrongly.

It reads fonts that are not embedded, vertical writing and broken contents, and tells the place and the
width of each character. Loaded only when a page needs it. PDFium is not thread-safe: one thread of a
process may use it (the readers run in processes of their own).
"""

from __future__ import annotations

import ctypes
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ingest.readers.pdf_hidden import TINY, Box, is_outside, shows
from ingest.readers.pdf_lines import STRONG_NAMES, Fragment
from ingest.readers.pdf_vertical import Glyph, fragments_of

# More characters than this are no page that anybody reads.
_MOST_GLYPHS = 400_000
# PDFium's marks for a hyphen at the end of a line.
_HYPHENS = (0x2, 0xFFFE)
_NAME_BYTES = 128
_SIGHT_SCALE = 1.5
"""Pixels for a point, of the picture in which is looked for what can be seen."""
_PALE = 242


class SecondEngine:
    """A PDF in PDFium, opened at first use.

    `decrypted` gives the file without encryption, for one that pypdf opens and PDFium does not. Whatever
    goes wrong in a method is pypdfium2's `PdfiumError`, or `OSError` where the library cannot be loaded.
    """

    def __init__(self, data: bytes, password: str = "", decrypted: Callable[[], bytes] | None = None) -> None:
        self._data, self._password, self._decrypted = data, password, decrypted
        self._document: Any = None
        self.hidden = 0
        """Characters of the page that was read last that no reader sees; they are left out."""

    def count(self) -> int:
        """Return the number of pages."""
        return len(self._opened())

    def fragments(self, number: int) -> list[Fragment]:
        """Return the pieces of text of a page (1-based) in the order they are drawn, turned upright."""
        with self._page(number) as page:
            turned = page.get_rotation()
            sight = _Sight(page)
            try:
                # PDFium puts lines in order as a reader sees them: the text has to stand upright for it.
                page.set_rotation(0)
                glyphs, upright = _page_glyphs(page, sight)
                if upright:
                    page.set_rotation(upright)
                    glyphs, _ = _page_glyphs(page, sight)
            finally:
                page.set_rotation(turned)
            self.hidden = sight.hidden
            return fragments_of(glyphs, *page.get_size())

    def shows(self, number: int, boxes: Sequence[Box]) -> list[bool]:
        """Tell of each place on a page whether anything can be seen there; all, where it cannot be drawn."""
        try:
            with self._page(number) as page:
                return _Sight(page).shows(boxes)
        except MemoryError:
            raise
        except Exception:  # PDFium cannot open or draw it, or is not there
            return [True] * len(boxes)

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


class _Sight:
    """What can be seen of a page, which is drawn when it is first asked for."""

    def __init__(self, page: Any) -> None:
        self._page = page
        self._picture: Any = None
        self.box: Box = tuple(page.get_cropbox())
        self.hidden = 0

    def shows(self, boxes: Sequence[Box]) -> list[bool]:
        """Tell of each place whether anything can be seen there."""
        if self._picture is None:
            turned = self._page.get_rotation()
            self._page.set_rotation(0)
            try:
                bitmap = self._page.render(scale=_SIGHT_SCALE, grayscale=True)
                try:
                    self._picture = bitmap.to_pil().copy()
                finally:
                    bitmap.close()
            finally:
                self._page.set_rotation(turned)
        return shows(self._picture, _SIGHT_SCALE, self.box, boxes)

    def sees(self, pdfium: Any, text: Any, index: int, size: float, box: Any) -> bool:
        """Tell whether a character, and so the piece that begins with it, can be seen."""
        place = (box.left, box.bottom, box.right, box.top)
        if size <= TINY or is_outside(place, self.box):
            return False
        red, green, blue, alpha = (ctypes.c_uint() for _ in range(4))
        filled = pdfium.FPDFText_GetFillColor(text, index, red, green, blue, alpha)
        pale = filled and (min(red.value, green.value, blue.value) >= _PALE or alpha.value < 255 - _PALE)
        drawn = pdfium.FPDFText_GetTextObject(text, index)
        undrawn = drawn and pdfium.FPDFTextObj_GetTextRenderMode(drawn) in (3, 7)
        return bool(undrawn or not pale or self.shows([place])[0])


def _page_glyphs(page: Any, sight: _Sight) -> tuple[list[Glyph], int]:
    """Return the characters of a page, and by how many degrees to turn it so that most stand upright."""
    directions: Counter[int] = Counter()
    text = page.get_textpage()
    sight.hidden = 0
    try:
        glyphs = list(_glyphs(text, directions, sight))
    finally:
        text.close()
    return glyphs, directions.most_common(1)[0][0] if directions else 0


def _glyphs(text: Any, directions: Counter[int], sight: _Sight) -> Iterator[Glyph]:
    """Yield the characters of a text page. Spaces and line ends that PDFium adds have no size."""
    import pypdfium2.raw as pdfium

    x, y, box = ctypes.c_double(), ctypes.c_double(), pdfium.FS_RECTF()
    style, last, high, seen = (10.0, 1.0, 0.0, False), 0, 0, True
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
            style, last, seen = _style(pdfium, text, index), drawn, True
            if code > 0x20:
                seen = sight.sees(pdfium, text, index, style[0], box)
            else:
                last = 0  # a space tells nothing: the next character is asked
        if not seen:
            sight.hidden += code > 0x20
            continue
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
