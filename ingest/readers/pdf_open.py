"""Opening a PDF with pypdf: its passwords, its limits, and its errors in one line."""

from __future__ import annotations

import io
import logging
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ingest.blocks import Outcome, ReadError
from ingest.readers.pdf_encodings import read_fonts_alike, teach_encodings

if TYPE_CHECKING:
    from pypdf import PdfReader

NEEDS_PASSWORD = "needs a password: give it by --password, or save it without one"  # noqa: S105 - a message


def open_pdf(data: bytes, passwords: tuple[str, ...]) -> tuple[PdfReader, str]:
    """Open a PDF with the empty password or one of those given, as user or as owner.

    Returns:
        pypdf's reader, and the password that opened the file.

    Raises:
        ReadError: ENCRYPTED when no password opens it, FAILED for what pypdf cannot make sense of. No
            message holds a password.
    """
    from pypdf import PdfReader
    from pypdf.errors import DependencyError

    teach_encodings()
    read_fonts_alike()
    try:
        reader = PdfReader(io.BytesIO(data))
        return reader, _unlock(reader, passwords) if reader.is_encrypted else ""
    except (ReadError, MemoryError):
        raise
    except NotImplementedError as error:
        message = "encrypted by another means than a password: save it without"
        raise ReadError(Outcome.ENCRYPTED, message) from error
    except DependencyError as error:
        message = f"encrypted in a way that needs another package: {one_line(error)}"
        raise ReadError(Outcome.FAILED, message) from error
    except Exception as error:  # pypdf lets many kinds through from broken files
        raise ReadError(Outcome.FAILED, f"damaged PDF: {one_line(error)}") from error


def _unlock(reader: PdfReader, passwords: tuple[str, ...]) -> str:
    from pypdf import PasswordType

    for password in ("", *passwords):
        for form in _forms(password):
            if reader.decrypt(form) != PasswordType.NOT_DECRYPTED:
                return password
    if not passwords:
        raise ReadError(Outcome.ENCRYPTED, NEEDS_PASSWORD)
    which = (
        "the password does not open it"
        if len(passwords) == 1
        else f"none of the {len(passwords)} passwords opens it"
    )
    raise ReadError(Outcome.ENCRYPTED, which)


def _forms(password: str) -> Iterator[str | bytes]:
    """Yield a password as pypdf encodes it and as other programs have: unprepared, or in cp932.

    pypdf prepares a text (SASLprep, RFC 4013) for AES-256 and takes Latin-1 for older encryption; the
    tables of SASLprep end at Unicode 3.2, and programs differ in what they do with later characters.
    """
    yield password
    forms: dict[bytes, None] = {}
    for text in (password, unicodedata.normalize("NFKC", password)):
        for encoding in ("utf-8", "cp932"):
            try:
                forms[text.encode(encoding)] = None
            except UnicodeEncodeError:
                continue
    if not password.isascii():
        yield from forms


def one_line(error: BaseException) -> str:
    """Return one line for an error, without the bytes that pypdf quotes at length."""
    message = " ".join(str(error).split(" @")[0].split())[:100]
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


@contextmanager
def quiet() -> Iterator[None]:
    """Keep pypdf's own log lines off the terminal: what matters is in the warnings of the result."""
    logger = logging.getLogger("pypdf")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)
