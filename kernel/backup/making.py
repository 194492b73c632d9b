"""A backup, made while servers answer and documents are taken in.

Each database is as it was at one moment. Files come after the databases, so that a document which was in the index has
its file, unless it was deleted meanwhile.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from kernel.backup.archive import written
from kernel.backup.databases import save_index, save_memory, save_said
from kernel.backup.places import Counted, Places, Say
from plugins.memory.said import in_postgresql, said_in
from retrieval.errors import IndexMissingError, TekioError
from retrieval.passages import PassageIndex
from retrieval.stores.opening import is_in, shown

ABOUT = "about.json"
_UNDER_WAY = (".making", ".training", ".search", ".tmp")
"""How names end under which adapters and models are made before they are put in their places."""


def back_up(places: Places, file: Path, *, force: bool, say: Say) -> Counted:
    """Write everything into one file.

    Args:
        places: where everything is.
        file: to write.
        force: replaces a file that is there.
        say: is told what is under way.

    Raises:
        IndexMissingError: there is no index.
        UsageError: the file is there.
        TekioError: it cannot be written.
    """
    if not is_in(places.index):
        raise IndexMissingError(f"there is no index in {shown(places.index)} yet: nothing to back up")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TekioError(f"{file.parent} cannot be made: {error.strerror or error}") from error
    made, files = datetime.now(UTC).isoformat(timespec="seconds"), 0
    with (
        written(file, force=force) as add,
        tempfile.TemporaryDirectory(prefix=".tekio-backup-", dir=file.parent) as name,
    ):
        folder = Path(name)
        say("the index")
        save_index(places.index, folder / "index")
        if is_in(places.memory):
            say("memories and keys")
            save_memory(places.memory, folder / "memory")
        said = places.memory if in_postgresql(places.memory) else places.said
        if said_in(said).is_there():
            say("conversations and feedback")
            save_said(said, folder / "said")
        with closing(PassageIndex(folder / "index", None)) as index:
            documents = len(index.documents())
        about = {"made": made, "documents": documents, "index": shown(places.index)}
        (folder / ABOUT).write_text(json.dumps(about, ensure_ascii=False), encoding="utf-8")
        for path in _files(folder):
            if path.suffix == ".sqlite3" or path.name == ABOUT:  # what is derived from them is made anew
                add(path.relative_to(folder).as_posix(), path)
                files += 1
        if places.settings.is_file():
            add("settings/tekio.toml", places.settings)
            files += 1
        for name, place in places.folders.items():
            if place.is_dir():
                say(name)
            for path in _files(place):
                try:
                    add(f"folders/{name}/{path.relative_to(place).as_posix()}", path)
                except FileNotFoundError:  # deleted meanwhile
                    continue
                files += 1
    return Counted(documents, files, file.stat().st_size, made)


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder, none that a link leads to, and none of a model that is still being made."""
    for root, folders, names in os.walk(folder):
        folders[:] = [each for each in folders if not (each.startswith(".") and each.endswith(_UNDER_WAY))]
        for name in sorted(names):
            path = Path(root) / name
            if path.is_file() and not path.is_symlink():
                yield path
