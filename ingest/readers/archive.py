"""Zip archives, in which most office formats come: bounds that are checked before anything is unpacked."""

from __future__ import annotations

import io
import zipfile
import zlib

from ingest.blocks import Outcome, ReadError

MOST_MEMBERS = 20_000
LARGEST = 512 * 2**20
"""Bytes that all members together may unpack to. `zipfile` never reads more of a member than it declares."""

_SMALL = 32 * 2**20
_MOST_RATIO = 200
"""Text in XML shrinks to a twentieth, endless rows of equal cells to a hundredth; a bomb to a thousandth."""

BAD_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError)
"""What `zipfile` raises on damaged archives."""


def check_zip(data: bytes) -> frozenset[str]:
    """Return the names of an archive's members if it can be unpacked safely. Nothing is unpacked here.

    Archives within the archive are members like others: nothing follows them.

    Raises:
        ReadError: FAILED for an archive that is damaged, holds too many members or would unpack to too
            much; ENCRYPTED when a member needs a password.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
    except BAD_ZIP as error:
        raise ReadError(Outcome.FAILED, "a damaged zip archive") from error
    if len(members) > MOST_MEMBERS:
        raise ReadError(
            Outcome.FAILED, f"a zip archive of {len(members):,} members, more than {MOST_MEMBERS:,}"
        )
    size = sum(member.file_size for member in members)
    if size > LARGEST:
        raise ReadError(Outcome.FAILED, f"a zip bomb: {_unpacks(size)}, more than {LARGEST // 2**20} MiB")
    for member in members:
        if member.file_size > _SMALL and member.file_size > _MOST_RATIO * max(1, member.compress_size):
            times = member.file_size // max(1, member.compress_size)
            raise ReadError(
                Outcome.FAILED, f"a zip bomb: {_unpacks(member.file_size)}, {times:,} times its size"
            )
    if any(member.flag_bits & 0x1 for member in members):
        raise ReadError(Outcome.ENCRYPTED, "its zip archive is encrypted: save it without a password")
    return frozenset(member.filename for member in members)


def member(archive: zipfile.ZipFile, name: str) -> bytes | None:
    """Return the bytes of a member, None when there is no such member.

    Raises:
        zipfile.BadZipFile: the member is damaged.
    """
    try:
        return archive.read(name)
    except KeyError:
        return None


def _unpacks(size: int) -> str:
    return f"would unpack to {size / 2**20:,.0f} MiB"
