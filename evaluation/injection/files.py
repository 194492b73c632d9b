"""Small files in several formats, some of whose text no reader sees."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_TYPES = (
    '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Override PartName="/word/document.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>'
)
_RELATIONS = (
    '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" '
    'Target="word/document.xml"/></Relationships>'
)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A line of a PDF page. `grey` is its colour, 0 black and 1 white; `mode` 3 draws nothing."""

    x: float
    y: float
    size: float
    text: str
    grey: float = 0.0
    mode: int = 0


def docx(paragraphs: Sequence[tuple[str, str]]) -> bytes:
    """Write a Word document of paragraphs, each a text with its run properties as XML, mostly none."""
    body = "".join(
        f'<w:p><w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{escape(text)}</w:t></w:r></w:p>'
        for text, properties in paragraphs
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("[Content_Types].xml", _TYPES)
        archive.writestr("_rels/.rels", _RELATIONS)
        archive.writestr(
            "word/document.xml",
            f'<?xml version="1.0" encoding="UTF-8"?><w:document xmlns:w="{_W}"><w:body>{body}</w:body></w:document>',
        )
    return out.getvalue()


def pdf(lines: Sequence[Drawn]) -> bytes:
    """Write a PDF of one page. Japanese text is in a font that is not embedded."""
    content = b"\n".join(_draw(line) for line in lines)
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [7 0 R] /Count 1 >>",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        b"<< /Type /Font /Subtype /Type0 /BaseFont /Ryumin-Light /Encoding /90ms-RKSJ-H /DescendantFonts [5 0 R] >>",
        b"<< /Type /Font /Subtype /CIDFontType0 /BaseFont /Ryumin-Light /DW 1000 /CIDSystemInfo "
        b"<< /Registry (Adobe) /Ordering (Japan1) /Supplement 2 >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 6 0 R /Resources "
        b"<< /Font << /F1 3 0 R /F2 4 0 R >> >> >>",
    ]
    out = bytearray(b"%PDF-1.4\n")
    places = []
    for number, each in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, table)
    return bytes(out)


def _draw(line: Drawn) -> bytes:
    try:
        raw, font = line.text.encode("cp1252"), "F1"
    except UnicodeEncodeError:
        raw, font = line.text.encode("cp932", "replace"), "F2"
    place = f"1 0 0 1 {line.x} {line.y} Tm"
    return f"BT {line.grey} g {line.mode} Tr /{font} {line.size} Tf {place} <{raw.hex()}> Tj ET".encode()


def plain_text(name: str, data: bytes) -> str:
    """Return the text of a file as the shortest of programs would: with all that is hidden in it."""
    ending = name.rsplit(".", 1)[-1].lower()
    if ending == "pdf":
        from pypdf import PdfReader

        return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(data)).pages)
    if ending == "docx":
        from lxml import etree

        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            root = etree.fromstring(archive.read("word/document.xml"))
        return "\n".join("".join(p.itertext()) for p in root.iter(f"{{{_W}}}p"))
    if ending == "html":
        from bs4 import BeautifulSoup

        return BeautifulSoup(data.decode(), "lxml").get_text("\n")
    return data.decode("utf-8", "replace")
