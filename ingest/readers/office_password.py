"""Office files under a password: decrypted in memory with one of those that a person gave."""

from __future__ import annotations

import io

from ingest.blocks import Outcome, ReadError

_ENCRYPTED_STREAM = "EncryptedPackage".encode("utf-16-le")
_OUTLOOK_STREAM = "__properties_version1.0".encode("utf-16-le")


def open_ole(data: bytes, passwords: tuple[str, ...]) -> bytes:
    """Return the Office file (a zip archive) that lies encrypted in an OLE container.

    Passwords appear in no message.

    Raises:
        ReadError: ENCRYPTED when there is no password or none of them opens it, UNSUPPORTED for other
            things in such containers (old Office files, Outlook messages), FAILED for damaged ones.
    """
    if _ENCRYPTED_STREAM not in data:
        if _OUTLOOK_STREAM in data:
            raise ReadError(Outcome.UNSUPPORTED, "an Outlook message (.msg): save it as .eml")
        raise ReadError(Outcome.UNSUPPORTED, "an old Office file (.doc, .xls, .ppt): save it as .docx or PDF")
    if not passwords:
        raise ReadError(Outcome.ENCRYPTED, "needs a password: give it by --password")
    for password in passwords:
        opened = _decrypted(data, password)
        if opened is not None:
            return opened
    raise ReadError(Outcome.ENCRYPTED, "none of the passwords opens it")


def _decrypted(data: bytes, password: str) -> bytes | None:
    """Decrypt with one password; None when it is the wrong one."""
    from msoffcrypto import OfficeFile
    from msoffcrypto.exceptions import DecryptionError, InvalidKeyError

    out = io.BytesIO()
    try:
        office = OfficeFile(io.BytesIO(data))
        office.load_key(password=password, verify_password=True)
        office.decrypt(out)
    except (InvalidKeyError, DecryptionError):
        return None
    except MemoryError:
        raise
    except Exception as error:
        # Only the name: the message of an error may repeat what was given to the call.
        name = type(error).__name__
        raise ReadError(Outcome.FAILED, f"damaged encrypted Office file: {name}") from error
    opened = out.getvalue()
    return opened if opened.startswith(b"PK") else None
