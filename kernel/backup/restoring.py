"""A backup put back: checked as a whole before anything is replaced, and nothing replaced unasked."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from kernel.backup.archive import unpack
from kernel.backup.databases import load_index, load_memory, load_said, require_closed
from kernel.backup.making import ABOUT
from kernel.backup.places import Counted, Places, Say
from kernel.backup.rehoming import rehome_uploads
from plugins.memory.said import SAID_FILE, in_postgresql, said_in
from retrieval.database import DATABASE_FILE
from retrieval.errors import TekioError, UsageError
from retrieval.passages import PassageIndex
from retrieval.stores.opening import Place, is_address, is_in, shown

_PRIVATE = ("uploads", "jobs")
"""Folders that their makers keep to themselves, see `UploadFolder`."""
Load = Callable[[Path, Place], None]


def restore(file: Path, places: Places, *, force: bool, say: Say) -> Counted:
    """Put back what a backup holds; what it does not hold stays.

    Args:
        file: of the backup.
        places: where everything is to be.
        force: replaces what is there.
        say: is told what is under way.

    Raises:
        UsageError: it is no backup, or there is something already.
        IndexBusyError: a process has the index open.
        TekioError: it is damaged, or cannot be written.
    """
    beside = (
        places.said.absolute().parent if is_address(places.index) else Path(places.index).absolute().parent
    )
    try:
        beside.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".tekio-restore-", dir=beside) as name:
            return _restored(file, Path(name), places, force=force, say=say)
    except OSError as error:
        raise TekioError(f"{file} cannot be put back: {error.strerror or error}") from error


def _restored(file: Path, folder: Path, places: Places, *, force: bool, say: Say) -> Counted:
    say("reading the backup")
    names = unpack(file, folder)
    about = json.loads((folder / ABOUT).read_text("utf-8"))
    # Older layouts are brought up to date here, and what cannot be opened is found here, before anything is replaced.
    with closing(PassageIndex(folder / "index", None)) as index:
        documents = len(index.documents())
    held = [name for name in places.folders if (folder / "folders" / name).is_dir()]
    if not force:
        _require_nothing(places, held)
    _require_closed(places)
    say("the index")
    rehome_uploads(folder / "index", folder / "folders" / "uploads", places.folders["uploads"])
    _put_database(folder / "index", places.index, load=load_index)
    places.answers.unlink(missing_ok=True)  # of another state of the index
    if (folder / "memory").is_dir() or (folder / "said").is_dir():
        say("memories, keys, conversations and feedback")
        _put_memory(folder, places)
    for name in held:
        say(name)
        if name in _PRIVATE:
            (folder / "folders" / name).chmod(0o700)
        _put_folder(folder / "folders" / name, places.folders[name])
    _put_settings(folder / "settings" / "tekio.toml", places.settings, say)
    return Counted(documents, len(names), file.stat().st_size, str(about["made"]))


def _require_nothing(places: Places, folders: list[str]) -> None:
    there = [shown(place) for place in (places.index, places.memory) if is_in(place)]
    said = places.memory if in_postgresql(places.memory) else places.said
    if said_in(said).is_there() and shown(said) not in there:
        there.append(shown(said))
    there += [
        str(place) for name in folders if (place := places.folders[name]).is_dir() and any(place.iterdir())
    ]
    if there:
        raise UsageError(
            f"there is something in {', '.join(there)} already: replace it with --force, or name another --index"
        )


def _require_closed(places: Places) -> None:
    for place, name in (
        (places.index, DATABASE_FILE),
        (places.memory, DATABASE_FILE),
        (places.said, SAID_FILE),
    ):
        if not is_address(place):
            require_closed(Path(place) / name)


def _put_database(source: Path, place: Place, *, load: Load) -> None:
    if is_address(place):
        load(source, place)
    else:
        _put_folder(source, Path(place))


def _put_memory(folder: Path, places: Places) -> None:
    memory, said = folder / "memory", folder / "said"
    if in_postgresql(places.memory):
        if memory.is_dir():
            load_memory(memory, places.memory)
        if said.is_dir():
            load_said(said, places.memory)
        return
    if is_address(places.memory):
        if memory.is_dir():
            load_memory(memory, places.memory)
        if said.is_dir():
            _put_folder(said, places.said)
        return
    memory.mkdir(exist_ok=True)
    if said.is_dir():  # both are in one folder
        (said / SAID_FILE).rename(memory / SAID_FILE)
    _put_folder(memory, Path(places.memory))


def _put_folder(source: Path, target: Path) -> None:
    """Put a folder in the place of another, which is there until the new one is."""
    target = target.absolute()
    target.parent.mkdir(parents=True, exist_ok=True)
    new, old = (target.with_name(f".{target.name}.{word}-{os.getpid()}") for word in ("new", "old"))
    shutil.move(source, new)  # copies where it is another disk
    if target.exists():
        target.rename(old)
    try:
        new.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _put_settings(source: Path, target: Path, say: Say) -> None:
    if not source.is_file():
        return
    source.chmod(0o600)  # the address of a database in it may hold a password
    if not target.is_file():
        shutil.copy(source, target)
    elif target.read_bytes() != source.read_bytes():
        beside = target.with_name(f"{target.name}.restored")
        shutil.copy(source, beside)
        say(f"{target} stays as it is; that of the backup is {beside.name}")
