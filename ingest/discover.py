"""Which files an ingest is about: arguments to files, folders walked, bytes read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from retrieval.errors import UsageError

_SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules"})
_LEFT_BY_EDITORS = ("~$", "#")


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file to read: its absolute path, its name for people, how to show it, and if it was named itself."""

    path: Path
    name: str
    shown: str
    named: bool


@dataclass(frozen=True, slots=True)
class Found:
    """The files of an ingest in order, each once, and the folders that were walked: (absolute, as given)."""

    files: list[FoundFile]
    folders: list[tuple[Path, str]]


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of a file and what identifies them."""

    data: bytes
    digest: str
    size: int
    mtime_ns: int


def discover(paths: Sequence[Path]) -> Found:
    """Return the files that the arguments stand for.

    In folders, hidden files and folders, caches and files that editors leave are skipped; links are
    followed, and what is reached twice counts once.

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
            folders.append((root, path.as_posix()))
            found = [
                FoundFile(root / relative, relative.as_posix(), (path / relative).as_posix(), False)
                for relative in sorted(_walk(root))
            ]
        else:
            absolute = path.parent.resolve() / path.name
            found = [FoundFile(absolute, path.name, path.as_posix(), True)]
        for file in found:
            identity = os.path.realpath(file.path)
            if identity not in seen:
                seen.add(identity)
                files.append(file)
    return Found(files, folders)


def read_content(path: Path) -> Content:
    """Read a file whole, once.

    Raises:
        OSError: it cannot be read, or it changed meanwhile.
    """
    before = path.stat()
    data = path.read_bytes()
    after = path.stat()
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or len(
        data
    ) != after.st_size:
        raise OSError("it changed while it was being read; ingest it again")
    return Content(data, hashlib.sha256(data).hexdigest(), after.st_size, after.st_mtime_ns)


def _walk(root: Path) -> Iterator[Path]:
    """Yield the files below a folder, relative to it. A folder that links lead back to is entered once.

    A folder that cannot be listed is given as if it were a file, so that it is reported.
    """
    entered: set[str] = set()
    closed: list[str] = []
    walk = os.walk(root, followlinks=True, onerror=lambda error: closed.append(str(error.filename)))
    for folder, names, files in walk:
        real = os.path.realpath(folder)
        if real in entered:
            names.clear()
            continue
        entered.add(real)
        names[:] = sorted(name for name in names if not name.startswith(".") and name not in _SKIPPED_FOLDERS)
        for name in files:
            if not name.startswith((".", *_LEFT_BY_EDITORS)) and not name.endswith("~"):
                path = Path(folder) / name
                # Sockets and pipes are no documents; a broken link is reported.
                if path.is_file() or path.is_symlink():
                    yield path.relative_to(root)
    yield from (Path(folder).relative_to(root) for folder in closed)
