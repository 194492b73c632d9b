"""What an ingest has to do about each file: nothing, a new name, or reading."""

from __future__ import annotations

import stat
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ingest.blocks import Outcome, ReadOptions
from ingest.discover import FileState, FoundFile, hash_file
from ingest.names import key_path
from ingest.readers import is_hopeless, no_reader
from retrieval.records import DocumentState

_HEAD = 1024


@dataclass(frozen=True, slots=True)
class Known:
    """The document is in the index as the file is. `file` is set where its size or time were not."""

    state: DocumentState
    file: FileState | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """The document is in the index under the path that its file had before."""

    state: DocumentState
    file: FileState


@dataclass(frozen=True, slots=True)
class ToRead:
    """The file has to be read. `state` is what the index has of an earlier version."""

    state: DocumentState | None
    file: FileState


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The file cannot be opened, or is none."""

    state: DocumentState | None
    outcome: Outcome
    message: str


Step = Known | Moved | ToRead | Unreadable


class Planner:
    """Decides for each file, from several threads. A document is given as moved once."""

    def __init__(
        self,
        states: Mapping[str, DocumentState],
        options: ReadOptions,
        recipe: str,
        failure_recipe: str,
        *,
        moves: bool = True,
    ) -> None:
        """Plan against what the index has; a document that was read by another recipe is read again.

        Without `moves` no file is taken for the document of another path.
        """
        self._states = states
        self._options = options
        self._recipe = recipe
        self._failure_recipe = failure_recipe
        self._moves = moves
        self._by_content: dict[str, list[DocumentState]] = {}
        for state in states.values():
            self._by_content.setdefault(state.content_hash, []).append(state)
        self._lock = threading.Lock()
        self.moved: set[str] = set()
        """The old paths of documents that were given as moved."""

    def step(self, found: FoundFile) -> Step:
        """Decide about a file: one `stat`, and one hash where that does not settle it."""
        state = self._states.get(found.key)
        try:
            status = found.path.stat()
            if stat.S_ISDIR(status.st_mode):
                return Unreadable(state, Outcome.FAILED, "the folder cannot be listed: check its permissions")
            if not stat.S_ISREG(status.st_mode):
                return Unreadable(state, Outcome.UNSUPPORTED, f"{_kind(status.st_mode)}, not a file")
            fresh = state is not None and self._is_current(state)
            if state and fresh and (state.size, state.mtime_ns) == (status.st_size, status.st_mtime_ns):
                return Known(state)
            if status.st_size == 0:
                return Unreadable(state, Outcome.EMPTY, "the file is empty")
            if state is None and _is_hopeless(found.path):
                return Unreadable(state, Outcome.UNSUPPORTED, no_reader(found.path.suffix.lower()))
            file = hash_file(found.path)
        except OSError as error:
            return Unreadable(state, Outcome.FAILED, f"cannot be opened: {error.strerror or error}")
        if state and fresh and state.content_hash == file.digest:
            return Known(state, file)
        if state is None and self._moves:
            before = self._claim_moved(found, file)
            if before is not None:
                return Moved(before, file)
        return ToRead(state, file)

    def _is_current(self, state: DocumentState) -> bool:
        """Tell whether reading the same content again would give nothing else."""
        outcome = Outcome(state.outcome)
        scanned = outcome is Outcome.NO_TEXT_LAYER or (state.empty_pages and "tesseract" not in state.engines)
        if scanned and self._options.ocr:
            return False
        if outcome is Outcome.ENCRYPTED and self._options.passwords:
            return False
        good = outcome in (Outcome.OK, Outcome.PARTIAL)
        return state.recipe == (self._recipe if good else self._failure_recipe)

    def _claim_moved(self, found: FoundFile, file: FileState) -> DocumentState | None:
        with self._lock:
            for state in self._by_content.get(file.digest, ()):
                old = key_path(state.path)
                same_kind = old.suffix.lower() == found.path.suffix.lower()
                if state.path in self.moved or not same_kind or not self._is_current(state):
                    continue
                if is_gone(old):
                    self.moved.add(state.path)
                    return state
        return None


def _is_hopeless(path: Path) -> bool:
    with path.open("rb") as file:
        return is_hopeless(path, file.read(_HEAD))


def is_gone(path: Path) -> bool:
    """Tell whether a file does not exist; one that cannot be looked at is not gone."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _kind(mode: int) -> str:
    """Say what a path is that is no file. Opening a pipe would wait for ever."""
    kinds = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")
