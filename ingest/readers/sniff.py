"""What a file is, told from its content. The ending of its name plays no part here."""

from __future__ import annotations

import io
import re
import zipfile

from ingest.blocks import Outcome, ReadError
from ingest.readers.archive import BAD_ZIP, check_zip

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_HTML = re.compile(rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html[\s>])", re.I | re.S)
_RTF = re.compile(rb"\s*\{\\rtf")
_BINARY_HEADS = (
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"GIF8",
    b"\x1f\x8b",
    b"BZh",
    b"\xfd7zXZ",
    b"7z\xbc\xaf",
    b"Rar!",
    b"\x7fELF",
    b"MZ",
    b"OggS",
    b"ID3",
    b"fLaC",
    b"SQLite format 3",
)
_MARKED_TEXT = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")
_HEADER = re.compile(rb"([A-Za-z][A-Za-z0-9-]*):[ \t]?")
# Headers that letters have and other texts of "Name: value" lines have not, at least not two of them.
_LETTER_HEADERS = frozenset(
    b"from to cc subject date message-id mime-version received return-path delivered-to reply-to sender "
    b"content-type content-transfer-encoding in-reply-to references x-mailer dkim-signature".split()
)
_TELLING_HEADERS = frozenset(b"from message-id mime-version received return-path delivered-to".split())

_ODF = "application/vnd.oasis.opendocument."
_MIMETYPES = {
    "application/epub+zip": "epub",
    f"{_ODF}text": "odt",
    f"{_ODF}text-template": "odt",
    f"{_ODF}text-web": "odt",
    f"{_ODF}spreadsheet": "ods",
    f"{_ODF}spreadsheet-template": "ods",
    f"{_ODF}presentation": "odp",
    f"{_ODF}presentation-template": "odp",
}
_MEMBERS = {
    "word/document.xml": "docx",
    "word/document2.xml": "docx",
    "ppt/presentation.xml": "pptx",
    "xl/workbook.xml": "xlsx",
    "META-INF/container.xml": "epub",
}
# The main part may have any name; its type in the list of contents says what it is.
_CONTENT_TYPE = re.compile(
    rb"(wordprocessingml\.document|presentationml\.(?:presentation|slideshow|template)"
    rb"|spreadsheetml\.(?:sheet|template))\.main\+xml|ms-(powerpoint|excel|word)\.[A-Za-z.]{1,60}\.main\+xml",
    re.IGNORECASE,
)


def is_plainly_binary(head: bytes) -> bool:
    """Tell from the first bytes of a file that it is neither text nor a document."""
    if head.startswith((*_ZIP, _OLE, *_MARKED_TEXT)) or b"%PDF-" in head:
        return False
    return head.startswith(_BINARY_HEADS) or b"\x00" in head


def sniff(data: bytes) -> str:
    """Return the name of a format, or `ole`, `zip` (of no known kind or damaged), `binary` or `text`.

    Raises:
        ReadError: FAILED or ENCRYPTED for a zip archive that is not safe to unpack, see `check_zip`.
    """
    head = data[:1024]
    if b"%PDF-" in head:
        return "pdf"
    if head.startswith(_OLE):
        return "ole"
    if head.startswith(_ZIP):
        return _zip_kind(data)
    if head.startswith(_BINARY_HEADS) or head[4:8] == b"ftyp":
        return "binary"
    bare = head.removeprefix(b"\xef\xbb\xbf")
    if _RTF.match(bare):
        return "rtf"
    if _HTML.match(bare):
        return "html"
    return "eml" if _is_letter(data[:8192].removeprefix(b"\xef\xbb\xbf")) else "text"


def _is_letter(head: bytes) -> bool:
    """Tell whether a text begins with the headers of an e-mail."""
    lines = head.replace(b"\r\n", b"\n").lstrip(b"\n").split(b"\n")
    if lines[0].startswith((b"From ", b">From ")):  # as a mailbox file begins each letter
        lines = lines[1:]
    names: set[bytes] = set()
    for line in lines:
        if line[:1] in (b" ", b"\t") and names:
            continue
        match = _HEADER.match(line)
        if match is None:
            break
        names.add(match.group(1).lower())
    return len(names & _LETTER_HEADERS) >= 2 and bool(names & _TELLING_HEADERS)


def _zip_kind(data: bytes) -> str:
    try:
        names = check_zip(data)
    except ReadError as error:
        if error.outcome is Outcome.FAILED and "damaged" in str(error):
            return "zip"
        raise
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if "mimetype" in names:
                mimetype = archive.read("mimetype")[:200].decode("ascii", "replace").strip()
                if kind := _MIMETYPES.get(mimetype):
                    return kind
            for name, kind in _MEMBERS.items():
                if name in names:
                    return kind
            if "[Content_Types].xml" in names:
                return _ooxml_kind(archive.read("[Content_Types].xml"))
    except BAD_ZIP:
        return "zip"
    return "odf" if {"content.xml", "META-INF/manifest.xml"} <= names else "zip"


def _ooxml_kind(types: bytes) -> str:
    found = _CONTENT_TYPE.search(types)
    if found is None:
        return "zip"
    said = found.group().lower()
    for word, kind in ((b"word", "docx"), (b"presentation", "pptx"), (b"powerpoint", "pptx")):
        if word in said:
            return kind
    return "xlsx"
