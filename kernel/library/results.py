"""What goes into the library and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, Literal

from ingest.blocks import Outcome
from ingest.report import FileReport


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as a client gives it: its name, of which nothing is believed, and its content."""

    name: str
    data: BinaryIO


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What became of a file: under what name it is shown, and the id of the document if there is one now.

    `replaced`: it took the place of an earlier upload of this name.
    """

    name: str
    id: str | None
    report: FileReport
    replaced: bool = False


@dataclass(frozen=True, slots=True)
class UploadReport:
    """What became of several files, in the order in which they came, counted as an ingest counts."""

    files: Sequence[Uploaded]

    @property
    def added(self) -> int:
        """How many are new documents."""
        return sum(self._is_read(file) and not file.replaced for file in self.files)

    @property
    def updated(self) -> int:
        """How many took the place of earlier ones."""
        return sum(self._is_read(file) and file.replaced for file in self.files)

    @property
    def unchanged(self) -> int:
        """How many were there already."""
        return sum(file.report.outcome is Outcome.UNCHANGED for file in self.files)

    @property
    def failed(self) -> int:
        """How many could not be read."""
        return len(self.files) - self.added - self.updated - self.unchanged

    @staticmethod
    def _is_read(file: Uploaded) -> bool:
        return file.report.outcome in (Outcome.OK, Outcome.PARTIAL)


_MEDIA_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "pdf": "application/pdf",
        "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "odt": "application/vnd.oasis.opendocument.text",
        "ods": "application/vnd.oasis.opendocument.spreadsheet",
        "odp": "application/vnd.oasis.opendocument.presentation",
        "epub": "application/epub+zip",
    }
)


_ANYTHING = "application/octet-stream"
ORIGINAL_TYPES = (_ANYTHING, *_MEDIA_TYPES.values())
"""The media types in which originals are given."""


@dataclass(frozen=True, slots=True)
class Original:
    """The file of a document: whose it is, its name for people without folders, its format, place and size in bytes."""

    document: str
    name: str
    format: str
    path: Path
    size: int

    @property
    def media_type(self) -> str:
        """A type that no browser runs: what is not sure to be harmless is bytes."""
        return _MEDIA_TYPES.get(self.format, _ANYTHING)


@dataclass(frozen=True, slots=True)
class Deleted:
    """What was deleted: how many passages, how many stored answers that rested on it, and whether the file went too.

    It was looked for again afterwards, and nothing was found.
    """

    document: str
    passages: int
    answers: int
    file: Literal["deleted", "kept"]
