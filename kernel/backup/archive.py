"""The file of a backup: a zip archive whose manifest, written last, names every file with its size and hash.

An archive that was cut short has no manifest and is refused; one that was changed on the way is found by the hashes
before anything is put in its place.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

from retrieval.errors import TekioError, UsageError

FORMAT = "tekio-backup"
VERSION = 1
_MANIFEST = "manifest.json"
_BLOCK = 1 << 20


@contextmanager
def written(file: Path, *, force: bool) -> Iterator[Callable[[str, Path], None]]:
    """Write an archive, which is there under its name when the block has ended well.

    It gives a function that adds a file under a name.

    Raises:
        UsageError: there is such a file, and it must not be replaced.
        TekioError: it cannot be written.
    """
    if file.exists() and not force:
        raise UsageError(f"{file} is there already: name another file, or replace it with --force")
    unfinished = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    manifest: dict[str, Any] = {}
    try:
        # It holds all documents: nobody else is to read it.
        with (
            os.fdopen(os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), "w+b") as raw,
            zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        ):

            def add(name: str, path: Path) -> None:
                digest, size = hashlib.sha256(), 0
                with path.open("rb") as source, archive.open(name, "w", force_zip64=True) as target:
                    while block := source.read(_BLOCK):
                        digest.update(block)
                        size += len(block)
                        target.write(block)
                manifest[name] = {"sha256": digest.hexdigest(), "size": size}

            yield add
            held = {"format": FORMAT, "version": VERSION, "files": manifest}
            archive.writestr(_MANIFEST, json.dumps(held, ensure_ascii=False, indent=1))
        unfinished.replace(file)
    except OSError as error:
        raise TekioError(f"the backup {file} cannot be written: {error.strerror or error}") from error
    finally:
        unfinished.unlink(missing_ok=True)


def unpack(file: Path, folder: Path) -> list[str]:
    """Unpack an archive into an empty folder, every file checked; return their names.

    Raises:
        UsageError: it is no backup, or one of a newer Tekio.
        TekioError: it is damaged, or there is no room.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            return _unpacked(archive, file, folder)
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {file}") from error
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise UsageError(f"{file} is no backup of Tekio, or it was cut short ({error})") from error
    except OSError as error:
        raise TekioError(f"{file} cannot be unpacked: {error.strerror or error}") from error


def _unpacked(archive: zipfile.ZipFile, file: Path, folder: Path) -> list[str]:
    manifest = _manifest(archive, file)
    needed = sum(int(entry["size"]) for entry in manifest.values())
    if needed > (free := shutil.disk_usage(folder).free):
        raise TekioError(
            f"{file} needs {needed / 1e6:,.0f} MB, and {free / 1e6:,.0f} MB are free at {folder}"
        )
    for name, entry in manifest.items():
        target = folder / _safe(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with archive.open(name) as source, target.open("wb") as written_to:
                digest = _copied(source, written_to, int(entry["size"]))
        except KeyError:
            digest = ""
        if digest != entry["sha256"]:
            raise TekioError(f"{file} is damaged: '{name}' is not what was backed up; take another backup")
    return list(manifest)


def _copied(source: IO[bytes], target: IO[bytes], size: int) -> str:
    """Copy as many bytes as a file should have, and no more; return their hash."""
    digest, left = hashlib.sha256(), size
    while left > 0 and (block := source.read(min(_BLOCK, left))):
        digest.update(block)
        target.write(block)
        left -= len(block)
    return digest.hexdigest() if not left and not source.read(1) else ""


def _manifest(archive: zipfile.ZipFile, file: Path) -> dict[str, dict[str, Any]]:
    try:
        held = json.loads(archive.read(_MANIFEST))
        files: dict[str, dict[str, Any]] = held["files"]
        kind, version = str(held["format"]), int(held["version"])
    except (KeyError, ValueError, TypeError) as error:
        raise UsageError(f"{file} is no backup of Tekio, or it was cut short") from error
    if kind != FORMAT or version > VERSION:
        raise UsageError(
            f"{file} is of a newer Tekio (version {version}, this one knows {VERSION}): update Tekio"
        )
    return files


def _safe(name: str) -> PurePosixPath:
    """Return a name within the archive as a path that stays within a folder.

    Raises:
        UsageError: it would not.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\\" in name or ":" in name:
        raise UsageError(f"the backup names a file '{name[:80]}' outside of its own: it is not unpacked")
    return path
