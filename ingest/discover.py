"""Which files an ingest is about: arguments to files, folders walked, contents told apart by their hash."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from ingest.ignore import Rules, folder_rules, is_ignored
from ingest.names import display, path_key
from retrieval.errors import UsageError

_SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules"})
_LEFT_BY_EDITORS = re.compile(r"~\$.*|#.*#|.*~", re.S)
_INDEX_FILES = frozenset({"index.sqlite3", "writer.lock"})
"""What only the folder of an index holds."""
_NO_NAMES: Mapping[Path, str] = MappingProxyType({})
CHANGED = "it changed while it was being read; ingest it again"


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file to read: its absolute path, its name for people, how to show it, and if it was named itself."""

    path: Path
    name: str
    shown: str
    named: bool

    @property
    def key(self) -> str:
        """What identifies the file in the index."""
        return path_key(self.path)


@dataclass(frozen=True, slots=True)
class Found:
    """The files of an ingest in order, each once, and the folders that were walked: (absolute, as given)."""

    files: list[FoundFile]
    folders: list[tuple[Path, str]]

    def ignores(self, path: Path) -> bool:
        """Tell whether one of the folders keeps a file below it out by a `.tekioignore`."""
        return any(_below_ignored(folder, path) for folder, _ in self.folders if path.is_relative_to(folder))


@dataclass(frozen=True, slots=True)
class FileState:
    """What identifies the content of a file: SHA-256 in hexadecimal, size in bytes, time in nanoseconds."""

    digest: str
    size: int
    mtime_ns: int


def discover(paths: Sequence[Path], names: Mapping[Path, str] = _NO_NAMES) -> Found:
    """Return the files that the arguments stand for.

    `names` are names for people of files among the arguments, where they are not the files' own.

    In folders, hidden files and folders, caches, files that editors leave, an index and what a `.tekioignore` names
    are skipped; links are followed, and what is reached twice counts once.

    Raises:
        UsageError: an argument does not exist, or none was given.
    """
    if not paths:
        raise UsageError("no path given: name the files or folders to read")
    for path in paths:
        if not path.exists():
            raise UsageError(f"no such file or folder: {path}")
    files: list[FoundFile] = []
    folders: list[tuple[Path, str]] = []
    seen: set[str] = set()
    # Files that were named come first, so that one that is also in a folder counts as named.
    for path in sorted(paths, key=lambda each: each.is_dir()):
        if path.is_dir():
            root = path.resolve()
            folders.append((root, display(path.as_posix())))
            found = [
                FoundFile(
                    root / relative,
                    display(relative.as_posix()),
                    display((path / relative).as_posix()),
                    False,
                )
                for relative in sorted(_walk(root))
            ]
        else:
            absolute = path.parent.resolve() / path.name
            found = [
                FoundFile(absolute, names.get(path) or display(path.name), display(path.as_posix()), True)
            ]
        for file in found:
            identity = os.path.realpath(file.path)
            if identity not in seen:
                seen.add(identity)
                files.append(file)
    return Found(files, folders)


def hash_file(path: Path) -> FileState:
    """Hash a file in pieces, so that its size does not count.

    Raises:
        OSError: it cannot be read, or it changed meanwhile.
    """
    before = path.stat()
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    after = path.stat()
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise OSError(CHANGED)
    return FileState(digest, after.st_size, after.st_mtime_ns)


def _walk(root: Path) -> Iterator[Path]:
    """Yield the files below a folder, relative to it. A folder that links lead back to is entered once.

    A folder that cannot be listed is given as if it were a file, so that it is reported; so are pipes, sockets
    and devices.
    """
    entered: set[str] = set()
    closed: list[str] = []
    rules: dict[str, Rules] = {}
    walk = os.walk(root, followlinks=True, onerror=lambda error: closed.append(str(error.filename)))
    for folder, names, files in walk:
        real = os.path.realpath(folder)
        if real in entered or _INDEX_FILES.issubset(files):
            names.clear()
            continue
        entered.add(real)
        own = rules[folder] = folder_rules(folder, rules.get(os.path.dirname(folder), ()))  # noqa: PTH120
        names[:] = sorted(name for name in names if _is_wanted(folder, name, own, is_folder=True))
        for name in files:
            if _is_wanted(folder, name, own, is_folder=False):
                yield (Path(folder) / name).relative_to(root)
    yield from (Path(folder).relative_to(root) for folder in closed)


def _is_wanted(folder: str, name: str, rules: Rules, *, is_folder: bool) -> bool:
    if name.startswith(".") or (is_folder and name in _SKIPPED_FOLDERS):
        return False
    if not is_folder and _LEFT_BY_EDITORS.fullmatch(name):
        return False
    return not is_ignored(os.path.join(folder, name), rules, is_folder=is_folder)  # noqa: PTH118


def _below_ignored(root: Path, path: Path) -> bool:
    """Tell whether a file or a folder that it is in, below the root, is ignored."""
    rules: Rules = ()
    at = root
    parts = path.relative_to(root).parts
    for number, part in enumerate(parts, start=1):
        rules = folder_rules(at, rules)
        at = at / part
        if is_ignored(str(at), rules, is_folder=number < len(parts)):
            return True
    return False
