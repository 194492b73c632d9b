"""What an ingest did, file by file and in figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ingest.blocks import Outcome
from ingest.pages import page_ranges

# What a person asked for and did not get. UNSUPPORTED and EMPTY count only where the file was named.
_FAILURES = frozenset({Outcome.FAILED, Outcome.ENCRYPTED, Outcome.NO_TEXT_LAYER})
_FAILURES_WHEN_NAMED = _FAILURES | {Outcome.UNSUPPORTED, Outcome.EMPTY}


@dataclass(frozen=True, slots=True)
class FileReport:
    """What became of one file. `path` is the argument joined with the place below it, with slashes."""

    path: str
    outcome: Outcome
    chunks: int = 0
    pages: int | None = None
    empty_pages: tuple[int, ...] = ()
    encoding: str | None = None
    message: str = ""
    engines: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain values, for JSON; the pages of an engine as `1-3, 7`."""
        return {
            "path": self.path,
            "outcome": str(self.outcome),
            "chunks": self.chunks,
            "pages": self.pages,
            "empty_pages": list(self.empty_pages),
            "encoding": self.encoding,
            "engines": {name: page_ranges(pages) for name, pages in self.engines.items()},
            "message": self.message,
        }


@dataclass(slots=True)
class IngestReport:
    """The outcome of an ingest.

    `added` and `updated` are documents that were written with their text, whole or in part; `failed`
    counts the outcomes `failed`, `encrypted` and `no_text_layer`, and of the files that were named one by
    one also `unsupported` and `empty`: in a folder, a picture or an empty file is no failure. `looked_at` has each
    file by its key in the index, with its name for people; `folders` are those that were walked.
    """

    files: list[FileReport] = field(default_factory=list)
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    removed: int = 0
    failed: int = 0
    seconds: float = 0.0
    looked_at: dict[str, tuple[str, FileReport]] = field(default_factory=dict)
    folders: list[Path] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """What a command ends with: 0, or 3 when a file failed."""
        return 3 if self.failed else 0

    def add(self, file: FileReport, *, named: bool, known: bool) -> None:
        """Note a file. `named`: given as an argument itself; `known`: was in the index with text before."""
        self.files.append(file)
        if file.outcome in (Outcome.OK, Outcome.PARTIAL):
            if known:
                self.updated += 1
            else:
                self.added += 1
        elif file.outcome is Outcome.UNCHANGED:
            self.unchanged += 1
        elif file.outcome is Outcome.REMOVED:
            self.removed += 1
        elif file.outcome in (_FAILURES_WHEN_NAMED if named else _FAILURES):
            self.failed += 1

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON of an ingest."""
        return {
            "added": self.added,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "removed": self.removed,
            "failed": self.failed,
            "files": [file.as_dict() for file in self.files],
            "seconds": round(self.seconds, 3),
        }
