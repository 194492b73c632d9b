"""The folder of uploaded files: generated names on the disk, cleaned names for people.

Nothing of a name that a client gives reaches the disk but a plain ending, by which readers tell texts apart.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import time
import unicodedata
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from retrieval.errors import TekioError

LONGEST_NAME = 150
FORMER_FOLDERS = "former_uploads"
"""The note of an index of where its uploads lay before a backup was put back elsewhere."""
UNNAMED = "document"
_MOST_FOLDERS = 8
_PIECE = 2**20
_ENDING = re.compile(r"\.[a-z0-9]{1,8}")
_COMING = ".coming-"
_LEFT_OVER = 24 * 3600
_KEPT = re.compile(r"[0-9a-f]{32}")
_UNDER_WAY = 3600
_UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
"""Categories of characters that no reader sees, those that turn the direction of a name around among them."""


@dataclass(frozen=True, slots=True)
class Coming:
    """A file that was received whole, and is not taken in yet. `digest` is its SHA-256 in hexadecimal."""

    path: Path
    name: str
    size: int
    digest: str


class TooLargeError(TekioError):
    """A file is larger than an upload may be."""


def is_generated(name: str) -> bool:
    """Tell whether a file's name is one that an upload gets."""
    return _KEPT.fullmatch(Path(name).stem) is not None


def clean_name(given: str) -> str:
    """Return the name that a client gives a file as it is shown: folders by `/`, never upwards, nothing unseen."""
    text = unicodedata.normalize("NFC", given).replace("\\", "/")
    text = "".join(" " if unicodedata.category(mark) in _UNSEEN else mark for mark in text)
    parts = [_plain(part) for part in text.split("/")]
    parts = [part for part in parts if part and not re.fullmatch(r"[A-Za-z]:", part)][-_MOST_FOLDERS:]
    return "/".join(_shortened(part) for part in parts) or UNNAMED


def _plain(part: str) -> str:
    one = " ".join(part.split())
    return f"{UNNAMED}{one}" if one and _ending(f"x{one}") == one.lower() else one.strip(". ")


def _shortened(part: str) -> str:
    if len(part) <= LONGEST_NAME:
        return part
    ending = _ending(part)
    return part[: LONGEST_NAME - len(ending)].rstrip() + ending


def _ending(name: str) -> str:
    ending = Path(name).suffix.lower()
    return ending if _ENDING.fullmatch(ending) else ""


class UploadFolder:
    """The folder. It is made when it is first written to."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        """Keep uploads in a folder, each of at most so many bytes."""
        self.folder = folder.absolute()
        self._most_bytes = most_bytes

    def holds(self, path: Path) -> bool:
        """Say whether a document's file is one of the uploads."""
        return path.parent == self._real()

    @contextmanager
    def receiving(self, given: str, data: BinaryIO) -> Iterator[Coming]:
        """Receive a file. Unless it is kept within the context, nothing of it is left behind.

        Raises:
            TooLargeError: it is larger than an upload may be.
            TekioError: it cannot be written.
        """
        self._make()
        path = self._real() / f"{_COMING}{secrets.token_hex(16)}{_ending(clean_name(given))}"
        try:
            size, digest = self._write(path, data)
            yield Coming(path, clean_name(given), size, digest)
        finally:
            path.unlink(missing_ok=True)

    def keep(self, coming: Coming) -> Path:
        """Give a received file its place, and return that."""
        path = self._real() / f"{secrets.token_hex(16)}{coming.path.suffix}"
        coming.path.rename(path)
        return path

    def delete(self, path: Path) -> bool:
        """Delete an upload; say whether it was one, and is gone."""
        if not self.holds(path):
            return False
        path.unlink(missing_ok=True)
        return True

    def orphans(self, known: Collection[str]) -> list[Path]:
        """Return the uploads that no document has: of a process that was killed before it had read them.

        What came within the last hour may be under way.

        Args:
            known: names of the documents' files, of which none comes twice. Not their places: a folder that was
                restored may be another.

        Raises:
            TekioError: the folder cannot be read.
        """
        try:
            kept = [path for path in self._real().iterdir() if is_generated(path.name) and path.is_file()]
            before = time.time() - _UNDER_WAY
            return sorted(path for path in kept if path.name not in known and path.stat().st_mtime < before)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise TekioError(f"cannot read {self.folder}: {error.strerror or error}") from error

    def _write(self, path: Path, data: BinaryIO) -> tuple[int, str]:
        size, digest = 0, hashlib.sha256()
        try:
            with path.open("xb") as file:
                while piece := data.read(_PIECE):
                    size += len(piece)
                    if size > self._most_bytes:
                        limit = self._most_bytes // 2**20
                        raise TooLargeError(
                            f"larger than {limit:,} MiB, which an upload may be: split it, or raise max_upload_mb"
                        )
                    digest.update(piece)
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise TekioError(f"cannot write to {self.folder}: {error.strerror or error}") from error
        return size, digest.hexdigest()

    def _make(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for left in self._real().glob(f"{_COMING}*"):  # of a process that was killed
                if time.time() - left.stat().st_mtime > _LEFT_OVER:
                    left.unlink(missing_ok=True)
        except OSError as error:
            raise TekioError(f"cannot use {self.folder}: {error.strerror or error}") from error

    def _real(self) -> Path:
        return self.folder.resolve()
