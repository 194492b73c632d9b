"""Documents whose files are no more, or are now ignored: a deleted file must not answer."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from ingest.discover import Found
from ingest.names import display, key_path
from ingest.plan import is_gone
from retrieval.errors import UsageError
from retrieval.records import DocumentState


@dataclass(frozen=True, slots=True)
class Gone:
    """A document to take out, how to show it, and why."""

    path: str
    shown: str
    reason: str


def find_gone(found: Found, states: Mapping[str, DocumentState], moved: Collection[str]) -> list[Gone]:
    """Return the documents below the folders given that are no longer there, but for those that moved.

    A file that is there but was not found is one that the folder ignores now; what lies in a folder that
    cannot be listed is left alone.
    """
    wanted = {file.key for file in found.files}
    gone: dict[str, Gone] = {}
    for folder, shown in found.folders:
        for key in states:
            path = key_path(key)
            if key in wanted or key in moved or key in gone or not path.is_relative_to(folder):
                continue
            place = display((Path(shown) / path.relative_to(folder)).as_posix())
            if is_gone(path):
                gone[key] = Gone(key, place, "the file is gone; it was taken out of the index")
            elif found.ignores(path):
                gone[key] = Gone(key, place, "the folder ignores it now; it was taken out of the index")
    return [gone[key] for key in sorted(gone)]


def check_not_empty(found: Found) -> None:
    """Check that every folder given holds something.

    Raises:
        UsageError: one does not. Also where the index knows files below it: an empty folder is more often
            a drive that is not mounted.
    """
    for folder, shown in found.folders:
        if not any(file.path.is_relative_to(folder) for file in found.files):
            raise UsageError(
                f"there are no files to read in {shown}: check the path; the index was left as it is "
                "(--prune takes out what an emptied folder held)"
            )
