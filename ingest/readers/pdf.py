"""PDF: page after page, so that one bad page costs no other, with what could not be read named.

pypdf reads the structure and most texts; PDFium takes the pages that it cannot read (`pdf_pages`), and
tesseract those that hold no text at all, where the options allow it (`pdf_ocr`).
"""

from __future__ import annotations

import io
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ingest.blocks import NO_OPTIONS, Outcome, ReadError, ReadOptions, ReadResult
from ingest.pages import page_ranges
from ingest.readers.pdf_attachments import embedded_blocks
from ingest.readers.pdf_layout import pages_to_blocks
from ingest.readers.pdf_lines import Line
from ingest.readers.pdf_meta import describe
from ingest.readers.pdf_open import one_line, open_pdf, quiet
from ingest.readers.pdf_pages import OCR, PageText, read_page
from ingest.readers.pdf_second import SecondEngine

if TYPE_CHECKING:
    from pypdf import PdfReader

    from ingest.readers.pdf_ocr import Tesseract

# pypdf keeps every object it has read; they are dropped after so many pages.
_KEPT_PAGES = 32


def read(data: bytes, options: ReadOptions = NO_OPTIONS) -> ReadResult:
    """Read a PDF.

    Pages that fail or hold no text are listed in `empty_pages` and explained in `warnings`; `engines`
    names the engine that read each of the others. Files embedded in it follow its own text.

    Raises:
        ReadError: ENCRYPTED when no password opens it, NO_TEXT_LAYER for scanned pages without text,
            EMPTY when there is neither text nor picture, FAILED when the file cannot be opened.
    """
    with quiet():
        reader, second, count = _opened(data, options)
        try:
            pages = _Pages(reader, second, options)
            for number in range(1, count + 1):
                pages.read(number)
            result = ReadResult([], "pdf", pages=count, empty_pages=tuple(pages.empty))
            if reader is not None:
                describe(result, reader)
                result.blocks, attached = embedded_blocks(reader, options)
                pages.warnings += attached
        finally:
            second.close()
        if not result.blocks and len(pages.empty) == count:
            pages.refuse(count)
        result.blocks[:0] = pages_to_blocks(pages.lines)
        result.engines = {engine: tuple(numbers) for engine, numbers in pages.engines.items()}
        result.warnings = pages.all_warnings()
        result.hidden = pages.hidden
        if pages.undrawn:
            result.notes.append(f"text that is not drawn, kept: {pages.undrawn:,} characters")
        return result


def _opened(data: bytes, options: ReadOptions) -> tuple[PdfReader | None, SecondEngine, int]:
    """Return pypdf's reader, None where only PDFium can open the file, PDFium's, and the number of pages."""
    try:
        reader, password = open_pdf(data, options.passwords)
        second = SecondEngine(data, password, lambda: _decrypted(reader))
        try:
            return reader, second, len(reader.pages)
        except MemoryError:
            raise
        except Exception as error:  # pypdf lets many kinds through from a broken page tree
            raise ReadError(Outcome.FAILED, f"damaged PDF: {one_line(error)}") from error
    except ReadError as error:
        if error.outcome is not Outcome.FAILED:
            raise
        for password in ("", *options.passwords):
            second = SecondEngine(data, password)
            try:
                count = second.count()
            except Exception:  # noqa: S112 - then the first error stands
                continue
            if count:
                return None, second, count
        raise


def _decrypted(reader: PdfReader) -> bytes:
    from pypdf import PdfWriter

    out = io.BytesIO()
    PdfWriter(clone_from=reader).write(out)
    return out.getvalue()


@dataclass(slots=True)
class _Pages:
    """The pages of a file as they are read one by one."""

    reader: PdfReader | None
    second: SecondEngine
    options: ReadOptions
    lines: list[list[Line]] = field(default_factory=list)
    empty: list[int] = field(default_factory=list)
    blank: list[int] = field(default_factory=list)
    pictures: list[int] = field(default_factory=list)
    stamped: list[int] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    engines: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    no_ocr: str = ""
    hidden: int = 0
    undrawn: int = 0
    _tesseract: Tesseract | None = None

    def read(self, number: int) -> None:
        """Read a page and note what became of it."""
        page = read_page(self.reader, self.second, number)
        if self.options.ocr and not page.hopeless and (not page.lines or page.pictures):
            self._recognise(page, number)
        self.hidden += page.hidden
        self.undrawn += page.undrawn
        self.lines.append(page.lines)
        if page.warning:
            self.warnings.append(page.warning)
        if page.engine:
            self.engines[page.engine].append(number)
        if not page.lines:
            self.empty.append(number)
            if not page.warning:
                (self.pictures if page.pictures else self.blank).append(number)
        elif page.pictures:
            self.stamped.append(number)
        if self.reader is not None and number % _KEPT_PAGES == 0:
            self.reader.resolved_objects.clear()

    def _recognise(self, page: PageText, number: int) -> None:
        """Put the text that tesseract sees on a page in the place of what there was."""
        from ingest.readers.pdf_ocr import DOTS, MOST_PIXELS, OcrError, Tesseract, is_blank

        if self.no_ocr:
            return
        try:
            if self._tesseract is None:
                self._tesseract = Tesseract(self.options.ocr_languages)
        except OcrError as error:
            self.no_ocr = str(error)
            return
        try:
            if not page.pictures and is_blank(self.second.picture(number, DOTS / 6, MOST_PIXELS)):
                return
            lines = self._tesseract.lines(self.second.picture(number, DOTS, MOST_PIXELS), number)
        except MemoryError:
            raise
        except OcrError as error:
            self.warnings.append(f"page {number}: {error}")
            return
        except Exception as error:  # PDFium cannot draw the page
            self.warnings.append(f"page {number} cannot be drawn for OCR: {one_line(error)}")
            return
        if sum(len(line.text) for line in lines) > sum(len(line.text) for line in page.lines):
            page.lines, page.engine, page.warning, page.pictures = lines, OCR, "", False

    def refuse(self, count: int) -> None:
        """Say why no page holds any text.

        Raises:
            ReadError: always.
        """
        failed = [warning for warning in self.warnings if "cannot be read" in warning]
        if self.pictures:
            message = f"pictures without text on {len(self.pictures)} of {count} pages"
            if not self.options.ocr:
                advice = "read them with --ocr"
            else:
                advice = self.no_ocr or next(iter(self.warnings), "OCR found no text on them")
            raise ReadError(Outcome.NO_TEXT_LAYER, f"{message}: {advice}")
        if failed:
            raise ReadError(Outcome.FAILED, f"no page could be read; {failed[0]}")
        raise ReadError(Outcome.EMPTY, "no text on any page")

    def all_warnings(self) -> list[str]:
        """Return the warnings of the pages, those of one kind together."""
        grouped = (
            (self.pictures, "pictures without text"),
            (self.stamped, "pictures with hardly any text"),
            (self.blank, "no text"),
        )
        more = [f"{_numbered(numbers)}: {what}" for numbers, what in grouped if numbers]
        return self.warnings + more + ([f"no OCR: {self.no_ocr}"] if self.no_ocr else [])


def _numbered(pages: list[int]) -> str:
    """Return `page 3` or `pages 2-5, 9`."""
    return f"{'page' if len(pages) == 1 else 'pages'} {page_ranges(pages)}"
