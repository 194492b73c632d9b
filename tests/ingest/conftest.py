"""Small files made on the spot, a store in memory and an embedder that only counts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

DOCUMENTS = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "documents"

# (x, y, size, text) or (x, y, size, text, bold)
Piece = tuple[float, float, float, str] | tuple[float, float, float, str, bool]
MakePdf = Callable[..., bytes]
CountTokens = Callable[[Sequence[str]], list[int]]


@pytest.fixture
def documents() -> Path:
    """The folder of awkward public files, used in place."""
    if not DOCUMENTS.is_dir():
        pytest.skip(f"the shared test documents are not there: {DOCUMENTS}")
    return DOCUMENTS


@pytest.fixture
def count_tokens() -> CountTokens:
    """A stand-in for a tokenizer: a word is a token for each five letters, any other character is one."""
    pattern = re.compile(r"[a-zA-Z]{1,5}|\d|[^\sa-zA-Z\d]")
    return lambda texts: [len(pattern.findall(text)) for text in texts]


@pytest.fixture
def make_pdf() -> MakePdf:
    """Return a writer of small PDFs: pages of placed text, with a picture where it is asked for."""
    return write_pdf


def write_pdf(
    pages: Sequence[Sequence[Piece]],
    *,
    pictures: Sequence[int] = (),
    title: str = "",
    broken: Sequence[int] = (),
    vertical: Sequence[int] = (),
    info: Mapping[str, str] | None = None,
) -> bytes:
    """Write a PDF whose text is drawn in the order given, each piece in a text object of its own.

    Japanese text uses a font that is not embedded (90ms-RKSJ). `pictures`, `broken` and `vertical` are
    1-based numbers of pages that show a picture, whose contents cannot be parsed, and whose Japanese text
    is written from top to bottom. `info` are more entries of the document's information (ASCII).
    """
    objects: list[bytes] = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"",  # the page tree, when the pages are known
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold /Encoding /WinAnsiEncoding >>",
        b"<< /Type /Font /Subtype /Type0 /BaseFont /Ryumin-Light /Encoding /90ms-RKSJ-H "
        b"/DescendantFonts [6 0 R] >>",
        b"<< /Type /Font /Subtype /CIDFontType0 /BaseFont /Ryumin-Light /DW 1000 /CIDSystemInfo "
        b"<< /Registry (Adobe) /Ordering (Japan1) /Supplement 2 >> >>",
        _stream(
            b"\x00",
            b"/Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray /BitsPerComponent 8",
        ),
        f"<< /Title <{title.encode('utf-16').hex()}> "
        f"{' '.join(f'/{key} ({value})' for key, value in (info or {}).items())} >>".encode(),
        b"<< /Type /Font /Subtype /Type0 /BaseFont /Ryumin-Light /Encoding /90ms-RKSJ-V "
        b"/DescendantFonts [6 0 R] >>",
    ]
    numbers = []
    for number, pieces in enumerate(pages, start=1):
        content = b"\n".join(_draw(*piece) for piece in pieces)
        if number in pictures:
            content += b"\nq 500 0 0 700 50 50 cm /Picture Do Q"
        if number in broken:
            content = b"BT /F1 12 Tf (unfinished <<< ]] > Tj"
        objects.append(_stream(content))
        picture = b"/XObject << /Picture 7 0 R >>" if number in pictures else b""
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R /Resources "
            b"<< /Font << /F1 3 0 R /F2 4 0 R /F3 %d 0 R >> %s >> >>"
            % (len(objects), 9 if number in vertical else 5, picture)
        )
        numbers.append(len(objects))
    kids = b" ".join(b"%d 0 R" % number for number in numbers)
    objects[1] = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, len(numbers))
    out = bytearray(b"%PDF-1.4\n")
    places = []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer << /Size %d /Root 1 0 R /Info 8 0 R >>\n" % (len(objects) + 1)
    out += b"startxref\n%d\n%%%%EOF\n" % table
    return bytes(out)


def _stream(data: bytes, extra: bytes = b"") -> bytes:
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(data), extra, data)


def _draw(x: float, y: float, size: float, text: str, bold: bool = False) -> bytes:
    try:
        raw, font = text.encode("cp1252"), "F2" if bold else "F1"
    except UnicodeEncodeError:
        raw, font = text.encode("cp932"), "F3"
    return f"BT /{font} {size} Tf 1 0 0 1 {x} {y} Tm <{raw.hex()}> Tj ET".encode()


def paragraph(lines: Sequence[str], *, x: float = 72, y: float = 760, size: float = 11) -> list[Piece]:
    """Place lines below each other."""
    return [(x, y - 1.25 * size * number, size, line) for number, line in enumerate(lines)]


@pytest.fixture
def place() -> Callable[..., list[Piece]]:
    """Return the function that places lines below each other for `make_pdf`."""
    return paragraph


def build_pdf(objects: Sequence[bytes]) -> bytes:
    """Write objects, numbered from 1, as a PDF; the first is the catalogue."""
    out = bytearray(b"%PDF-1.4\n")
    places = []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, table)
    return bytes(out)


@pytest.fixture
def raw_pdf() -> Callable[[Sequence[bytes]], bytes]:
    """Return the writer of PDFs from their very objects, for files that no program would write."""
    return build_pdf


@pytest.fixture
def stream() -> Callable[..., bytes]:
    """Return the function that makes a stream object of data and further entries of its dictionary."""
    return _stream
