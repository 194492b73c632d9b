"""Files to blocks. Each format is one module with `read(data, options) -> ReadResult`, loaded when it is needed.

A new format is a module here and a line in `FORMATS`.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import cast

from ingest.blocks import NO_OPTIONS, Outcome, ReadError, ReadOptions, ReadResult


@dataclass(frozen=True, slots=True)
class Format:
    """A format: its name (also the module's), its endings, what people call it, whether it is plain text."""

    name: str
    endings: tuple[str, ...]
    label: str
    textual: bool = True


FORMATS = (
    Format("pdf", (".pdf",), "PDF", textual=False),
    Format("docx", (".docx",), "Word (.docx)", textual=False),
    Format("html", (".html", ".htm"), "HTML"),
    Format("markdown", (".md", ".markdown"), "Markdown"),
    Format("text", (".txt", ".text"), "text"),
)
_BY_NAME = {each.name: each for each in FORMATS}
_BY_ENDING = {ending: each for each in FORMATS for ending in each.endings}

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED_STREAM = "EncryptedPackage".encode("utf-16-le")
_HTML = re.compile(rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html[\s>])", re.I | re.S)
_BINARY_HEADS = (
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"GIF8",
    b"\x1f\x8b",
    b"7z\xbc\xaf",
    b"Rar!",
    b"\x7fELF",
    b"{\\rtf",
    b"MZ",
)


def supported_endings() -> tuple[str, ...]:
    """Return the endings of the files that can be read, in lower case with the dot."""
    return tuple(_BY_ENDING)


def read_file(path: Path, data: bytes | None = None, options: ReadOptions = NO_OPTIONS) -> ReadResult:
    """Read a file with the reader for its content and ending.

    `data` are the file's bytes where the caller has them already, so that it is read only once.

    Raises:
        ReadError: the outcome says how it failed, the message is one line for a person.
    """
    if data is None:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ReadError(Outcome.FAILED, f"cannot be opened: {error.strerror or error}") from error
    if not data:
        raise ReadError(Outcome.EMPTY, "the file is empty")
    chosen = _choose(path.suffix.lower(), data)
    read = cast(
        "Callable[[bytes, ReadOptions], ReadResult]", import_module(f"ingest.readers.{chosen.name}").read
    )
    return read(data, options)


def _choose(ending: str, data: bytes) -> Format:
    """Choose by content where the content is plain, by ending where only the ending tells.

    Raises:
        ReadError: ENCRYPTED, FAILED or UNSUPPORTED, see the messages.
    """
    by_ending = _BY_ENDING.get(ending)
    found = _sniff(data)
    if found == "ole":
        if _ENCRYPTED_STREAM in data:
            raise ReadError(Outcome.ENCRYPTED, "needs a password: save it without one and ingest it again")
        raise ReadError(Outcome.UNSUPPORTED, "an old Office file (.doc, .xls, .ppt): save it as .docx or PDF")
    if found in ("pdf", "docx") or (found == "html" and (by_ending is None or not by_ending.textual)):
        return _BY_NAME[found]
    if by_ending is None:
        if ending == "" and found == "text":
            return _BY_NAME["text"]
        kind = f"{ending} files" if ending else "files of this kind"
        raise ReadError(
            Outcome.UNSUPPORTED, f"no reader for {kind}; {', '.join(supported_endings())} can be read"
        )
    if not by_ending.textual:
        raise ReadError(
            Outcome.FAILED, f"not a {by_ending.label} file" + (" or damaged" if found == "zip" else "")
        )
    if found not in ("text", "html"):
        raise ReadError(Outcome.UNSUPPORTED, f"a binary file, not {by_ending.label}")
    return by_ending


def _sniff(data: bytes) -> str:
    """Return `pdf`, `docx`, `html`, `ole`, `zip`, `binary` or `text` for the content of a file."""
    head = data[:1024]
    if b"%PDF-" in head:
        return "pdf"
    if head.startswith(_OLE):
        return "ole"
    if head.startswith(b"PK\x03\x04"):
        return _zip_kind(data)
    if head.startswith(_BINARY_HEADS):
        return "binary"
    return "html" if _HTML.match(head.removeprefix(b"\xef\xbb\xbf")) else "text"


def _zip_kind(data: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError):
        return "zip"
    return "docx" if "word/document.xml" in names or "word/document2.xml" in names else "zip"
