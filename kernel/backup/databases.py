"""Databases from where they are into files of their own, while others read and write them; and back."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from ingest.untaken import UNTAKEN
from kernel.library.uploads import FORMER_FOLDERS
from plugins.memory.opening import COLLECTION as MEMORIES
from plugins.memory.records import FIELDS
from plugins.memory.said import SAID_FILE, SaidFile, in_postgresql, said_in
from retrieval.database import DATABASE_FILE
from retrieval.errors import IndexBusyError, TekioError
from retrieval.index_copy import copy_index
from retrieval.index_meta import ANSWERABILITY, DEFAULT_VARIANT
from retrieval.passages import PassageIndex
from retrieval.stores.interface import Row
from retrieval.stores.opening import Place, is_address, open_database

_KEPT_OF_MEMORY = (f"layout:{MEMORIES}", f"signature:{MEMORIES}", "api_keys")
_BATCH = 500


def snapshot(source: Path, target: Path) -> None:
    """Copy a SQLite database as it is at one moment, by SQLite's online backup: writers are not stopped by it.

    Raises:
        TekioError: it cannot be read, or there is no room.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with closing(sqlite3.connect(source)) as reading, closing(sqlite3.connect(target)) as writing:
            reading.backup(writing)
            writing.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
    except sqlite3.Error as error:
        raise TekioError(f"{source} cannot be backed up: {error}") from error


def require_closed(path: Path) -> None:
    """Make sure that no other process has a SQLite database open.

    Raises:
        IndexBusyError: one has.
    """
    if not path.is_file():
        return
    try:
        # SQLite leaves its write-ahead mode only when nobody else has the database open.
        with closing(sqlite3.connect(path, timeout=0)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE").fetchone()
    except sqlite3.OperationalError as error:
        raise IndexBusyError(
            f"{path} is in use: stop the servers and commands that have it open first"
        ) from error
    except sqlite3.DatabaseError:
        return  # damaged, which is why it is to be replaced


def save_index(place: Place, folder: Path) -> None:
    """Bring an index into a folder."""
    if not is_address(place):
        snapshot(Path(place) / DATABASE_FILE, folder / DATABASE_FILE)
        return
    copy_index(place, folder)
    _copy_notes(place, folder)


def load_index(folder: Path, place: Place) -> None:
    """Bring an index from a folder into a server, in place of what is there."""
    with closing(open_database(place, create=True)) as database:
        database.set_meta("copying", "a backup")  # from now on it counts as a copy that did not end
    copy_index(folder, place)
    _copy_notes(folder, place)


def _copy_notes(source: Place, target: Place) -> None:
    with closing(PassageIndex(source, None)) as here, closing(PassageIndex(target, None)) as there:
        for name in (ANSWERABILITY, DEFAULT_VARIANT, FORMER_FOLDERS, UNTAKEN):
            there.keep_note(name, here.note(name))


def save_memory(place: Place, folder: Path) -> None:
    """Bring the memories and the keys into a folder."""
    if is_address(place):
        _copy_memory(place, folder)
    else:
        snapshot(Path(place) / DATABASE_FILE, folder / DATABASE_FILE)


def load_memory(folder: Path, place: Place) -> None:
    """Bring the memories and the keys from a folder into a server, in place of what is there."""
    _copy_memory(folder, place)


def _copy_memory(source: Place, target: Place) -> None:
    with (
        closing(open_database(source, create=False)) as here,
        closing(open_database(target, create=True)) as there,
        there.writer(),
    ):
        for key in _KEPT_OF_MEMORY:
            there.set_meta(key, here.get_meta(key) or "null")
        dimension = int(here.get_meta(f"dimension:{MEMORIES}") or 0)
        if not dimension:
            return
        from_rows, to_rows = (
            database.collection(MEMORIES, dimension=dimension, fields=FIELDS) for database in (here, there)
        )
        if to_rows.exists():
            to_rows.drop()
        to_rows.ensure()
        with here.read():
            hits = from_rows.select(vectors=True)
        for start in range(0, len(hits), _BATCH):
            rows = [
                Row(hit.key, hit.data, hit.vector)
                for hit in hits[start : start + _BATCH]
                if hit.vector is not None
            ]
            to_rows.upsert(rows)


def save_said(place: Place, folder: Path) -> None:
    """Bring conversations and feedback into a folder."""
    if not in_postgresql(place):
        snapshot(Path(place) / SAID_FILE, folder / SAID_FILE)
        return
    with said_in(place).connection() as here, SaidFile(folder).connection() as there:
        for table, columns in _tables(there):
            marks = ", ".join("?" for _ in columns)
            names = ", ".join(f'"{column}"' for column in columns)
            rows = here.execute(f"SELECT {names} FROM {table}").fetchall()  # noqa: S608 - of our own schema
            there.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)  # noqa: S608


def load_said(folder: Path, place: Place) -> None:
    """Bring conversations and feedback from a folder into a PostgreSQL, in place of what is there."""
    with SaidFile(folder).connection() as here, said_in(place).connection() as there:
        for table, columns in _tables(here):
            marks = ", ".join("?" for _ in columns)
            names = ", ".join(f'"{column}"' for column in columns)
            own = " OVERRIDING SYSTEM VALUE" if "id" in columns else ""
            there.execute(f"DELETE FROM {table}")  # noqa: S608
            for row in here.execute(f"SELECT {names} FROM {table}").fetchall():  # noqa: S608
                there.execute(f"INSERT INTO {table} ({names}){own} VALUES ({marks})", row)  # noqa: S608
            if "id" in columns:
                following = f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}"  # noqa: S608
                there.execute(following)


def _tables(connection: sqlite3.Connection) -> list[tuple[str, list[str]]]:
    query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY rowid"
    names = [str(name) for (name,) in connection.execute(query)]
    return [
        (name, [str(row[1]) for row in connection.execute(f"PRAGMA table_info({name})")]) for name in names
    ]
