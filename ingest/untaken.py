"""Files that an ingest looked at and could not take in, kept with the index so that people find them afterwards."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ingest.blocks import Outcome
from ingest.names import key_path
from ingest.plan import is_gone
from ingest.report import IngestReport

UNTAKEN = "not_taken_in"
"""The note of the index that holds them."""
MOST = 500
"""Files that are kept."""
_LONGEST = 500
"""Characters of a name or a reason that are kept."""
_BAD = (
    Outcome.FAILED,
    Outcome.EMPTY,
    Outcome.UNSUPPORTED,
    Outcome.ENCRYPTED,
    Outcome.NO_TEXT_LAYER,
)


@dataclass(frozen=True, slots=True)
class Untaken:
    """A file of which the index has nothing, or an earlier version alone. `path` is absolute, `name` for people."""

    path: str
    name: str
    outcome: str
    message: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """The files that are kept, by name, and whether there were more than are kept."""

    files: tuple[Untaken, ...] = ()
    more: bool = False

    def as_note(self) -> dict[str, Any] | None:
        """Return what is kept with the index; None for nothing."""
        return {"files": [asdict(file) for file in self.files], "more": self.more} if self.files else None


def left_out(note: Mapping[str, Any] | None) -> LeftOut:
    """Return what a note of the index says."""
    if note is None:
        return LeftOut()
    return LeftOut(tuple(Untaken(**row) for row in note["files"]), bool(note["more"]))


def brought_up(
    before: LeftOut, report: IngestReport, listed: Collection[str], *, adds: bool = True
) -> LeftOut:
    """Return what is left out after an ingest: what it could not take in, and of earlier ones what it did not look at.

    Args:
        before: what was left out before.
        report: of the ingest.
        listed: absolute paths of what the index lists as a document without text, with the reason.
        adds: whether what it could not take in is noted, or only what it could take in is taken off.
    """
    bad = {path for path, (_, file) in report.looked_at.items() if file.outcome in _BAD}
    new = [
        Untaken(path, name[:_LONGEST], str(file.outcome), file.message[:_LONGEST])
        for path, (name, file) in report.looked_at.items()
        if adds and path in bad and path not in listed
    ]
    stay = [
        file
        for file in before.files
        if file.path not in (report.looked_at if adds else report.looked_at.keys() - bad)
        and not any(key_path(file.path).is_relative_to(folder) for folder in report.folders)
        and not is_gone(key_path(file.path))
    ]
    held = sorted([*new, *stay], key=lambda file: (file.name, file.path))
    return LeftOut(tuple(held[:MOST]), len(held) > MOST or (before.more and bool(stay)))
