"""PDF by pypdf: page after page, so that one bad page costs no other, with what could not be read named."""

from __future__ import annotations

import codecs
import io
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ingest.blocks import NO_OPTIONS, Outcome, ReadError, ReadOptions, ReadResult
from ingest.readers.pdf_layout import pages_to_blocks
from ingest.readers.pdf_lines import Fragment, Line, collector, odd_share
from ingest.readers.pdf_rows import page_lines

if TYPE_CHECKING:
    from pypdf import PageObject, PdfReader

# Above this share of odd characters a page is reported; above the second it is left out, because what
# came out is not the text of the page.
_DOUBTFUL, _UNREADABLE = 0.1, 0.5
_STAMP = 20
_NO_TITLE = re.compile(
    r"\(?(?:anonymous|untitled|unspecified|unknown|document\d*|binder\d*.*|無題.*|title)\)?", re.I
)
_FILE_NAME = re.compile(r"(?:microsoft \w+ - .*|.*\.(?:pdf|docx?|indd|tex|dvi|qxd|xlsx?|pptx?))", re.I)
# Encodings of fonts that are not embedded (PDF 32000-1, table 118) and that pypdf does not know.
_CMAPS = {
    "/EUC-": "euc_jp", "/90msp-RKSJ-": "cp932", "/90pv-RKSJ-": "cp932", "/83pv-RKSJ-": "cp932",
    "/Add-RKSJ-": "cp932", "/Ext-RKSJ-": "cp932", "/UniJIS2004-UTF16-": "utf-16-be",
    "/UniJISX0213-UTF16-": "utf-16-be", "/KSC-EUC-": "cp949", "/KSCms-UHC-": "cp949",
    "/UniKS-UTF16-": "utf-16-be", "/B5pc-": "cp950", "/": "tekio_jis7",
}  # fmt: skip


def read(data: bytes, options: ReadOptions = NO_OPTIONS) -> ReadResult:
    """Read a PDF.

    Pages that fail or hold no text are listed in `empty_pages` and explained in `warnings`.

    Raises:
        ReadError: ENCRYPTED when a password is needed, NO_TEXT_LAYER for scanned pages without text,
            EMPTY when there is neither text nor picture, FAILED when the file cannot be opened.
    """
    with _quiet():
        reader = _open(data)
        try:
            count = len(reader.pages)
        except Exception as error:  # pypdf lets many kinds through from a broken page tree
            raise ReadError(Outcome.FAILED, f"damaged PDF: {_line(error)}") from error
        pages: list[list[Line]] = []
        empty: list[int] = []
        blank: list[int] = []
        pictures: list[int] = []
        stamped: list[int] = []
        warnings: list[str] = []
        for number in range(1, count + 1):
            lines, warning, has_picture = _page(reader, number)
            pages.append(lines)
            if warning:
                warnings.append(warning)
            if lines and has_picture:
                stamped.append(number)
            if not lines:
                empty.append(number)
                if not warning:
                    (pictures if has_picture else blank).append(number)
        if len(empty) == count:
            _refuse(count, pictures, warnings)
        if pictures:
            warnings.append(f"{_numbered(pictures)}: pictures without text")
        if stamped:
            warnings.append(f"{_numbered(stamped)}: pictures with hardly any text")
        if blank:
            warnings.append(f"{_numbered(blank)}: no text")
        return ReadResult(
            pages_to_blocks(pages),
            "pdf",
            title=_title(reader),
            language=_language(reader),
            pages=count,
            empty_pages=tuple(empty),
            warnings=warnings,
        )


def _refuse(count: int, pictures: list[int], warnings: list[str]) -> None:
    failed = [warning for warning in warnings if "cannot be read" in warning]
    if pictures:
        raise ReadError(
            Outcome.NO_TEXT_LAYER,
            f"pictures without text on {len(pictures)} of {count} pages: make it searchable with OCR first",
        )
    if failed:
        raise ReadError(Outcome.FAILED, f"no page could be read; {failed[0]}")
    raise ReadError(Outcome.EMPTY, "no text on any page")


def _open(data: bytes) -> PdfReader:
    from pypdf import PasswordType, PdfReader
    from pypdf.errors import DependencyError

    _teach_encodings()
    try:
        reader = PdfReader(io.BytesIO(data))
        # A file with only an owner password opens with the empty one.
        if reader.is_encrypted and reader.decrypt("") == PasswordType.NOT_DECRYPTED:
            raise ReadError(Outcome.ENCRYPTED, "needs a password: save it without one and ingest it again")
    except ReadError:
        raise
    except DependencyError as error:
        raise ReadError(
            Outcome.FAILED, f"encrypted in a way that needs another package: {_line(error)}"
        ) from error
    except Exception as error:
        raise ReadError(Outcome.FAILED, f"damaged PDF: {_line(error)}") from error
    return reader


def _page(reader: PdfReader, number: int) -> tuple[list[Line], str, bool]:
    """Return the lines of a page, a warning or "", and if a page with hardly any text shows pictures."""
    fragments: list[Fragment] = []
    try:
        page = reader.pages[number - 1]
        page.extract_text(visitor_text=collector(fragments))
        lines = page_lines(fragments, number)
    except Exception as error:
        return [], f"page {number} cannot be read: {_line(error)}", False
    if not lines:
        return [], "", _has_pictures(page)
    share = odd_share("".join(fragment.text for fragment in fragments))
    if share > _UNREADABLE:
        return [], f"page {number} cannot be read: its font has no known encoding", False
    if share > _DOUBTFUL:
        return lines, f"page {number}: {share:.0%} of the characters have no known reading", False
    # A date or a page number stamped on a scan is not its text.
    return lines, "", sum(len(line.text) for line in lines) < _STAMP and _has_pictures(page)


def _has_pictures(page: PageObject) -> bool:
    def within(resources: Any, depth: int) -> bool:
        objects = resources.get_object().get("/XObject") if resources is not None else None
        for value in objects.get_object().values() if objects is not None else ():
            item = value.get_object()
            if item.get("/Subtype") == "/Image":
                return True
            if depth and item.get("/Subtype") == "/Form" and within(item.get("/Resources"), depth - 1):
                return True
        return False

    try:
        if within(page.get("/Resources"), 3):
            return True
        contents = page.get_contents()
        return contents is not None and b"\nID" in contents.get_data().replace(b" ID", b"\nID")
    except Exception:
        return False


def _title(reader: PdfReader) -> str | None:
    try:
        title = str((reader.metadata and reader.metadata.title) or "").replace("\x00", "").strip()
    except Exception:
        return None
    unusable = not title or _NO_TITLE.fullmatch(title) or _FILE_NAME.fullmatch(title) or odd_share(title) > 0
    return None if unusable else title


def _language(reader: PdfReader) -> str | None:
    try:
        root: Any = reader.trailer["/Root"]
        code = str(root.get_object().get("/Lang") or "")[:2].lower()
    except Exception:
        return None
    # Writers put their own interface's language here; Japanese is believed, English is not.
    return code if code == "ja" else None


def _numbered(pages: list[int]) -> str:
    """Return `page 3` or `pages 2-5, 9`."""
    runs: list[list[int]] = []
    for page in pages:
        if runs and page == runs[-1][-1] + 1:
            runs[-1] = [runs[-1][0], page]
        else:
            runs.append([page])
    numbers = ", ".join("-".join(str(page) for page in run) for run in runs)
    return f"{'page' if len(pages) == 1 else 'pages'} {numbers}"


def _line(error: Exception) -> str:
    """Return one line for an error, without the bytes that pypdf quotes at length."""
    message = " ".join(str(error).split(" @")[0].split())[:100]
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep pypdf's own log lines off the terminal: what matters is in the warnings of the result."""
    logger = logging.getLogger("pypdf")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def _teach_encodings() -> None:
    """Add the Japanese and Korean encodings that pypdf lacks to its table."""
    try:
        from pypdf._cmap import _predefined_cmap as table
    except ImportError:
        return
    codecs.register(_jis7)
    for name, encoding in _CMAPS.items():
        for direction in "HV":
            table.setdefault(name + direction, encoding)


def _jis7(name: str) -> codecs.CodecInfo | None:
    """The codec of the CMap /H: pairs of 7-bit JIS X 0208 codes, which are EUC-JP without the high bits."""
    if name != "tekio_jis7":
        return None

    def decode(data: Any, errors: str = "strict") -> tuple[str, int]:
        raw = bytes(data)
        return bytes(byte | 0x80 for byte in raw).decode("euc_jp", "replace"), len(raw)

    def encode(text: str, errors: str = "strict") -> tuple[bytes, int]:
        return bytes(byte & 0x7F for byte in text.encode("euc_jp", "replace")), len(text)

    return codecs.CodecInfo(encode, decode, name=name)
