"""The tables of a collection in SQLite, and how those of older layouts become the present ones.

`rows_NAME` holds a row each: key, data as JSON, vector, the document that it belongs to, the digest of what was
embedded. `words_NAME` holds the tokens that keyword search finds it by, `late_NAME` the packed vectors of its
tokens, where they are kept; both apart, so that a scan of the rows does not read them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence


def create_collection(connection: sqlite3.Connection, name: str, *, indexed: Sequence[str] = ()) -> None:
    """Create the tables of a collection; `indexed` are fields that are often filtered on."""
    connection.execute(
        f"CREATE TABLE rows_{name} (id INTEGER PRIMARY KEY AUTOINCREMENT, key NOT NULL UNIQUE,"
        " document_id INTEGER REFERENCES documents (id) ON DELETE CASCADE,"
        " data TEXT NOT NULL, vector BLOB NOT NULL, digest BLOB)"
    )
    connection.execute(f"CREATE INDEX rows_{name}_document ON rows_{name} (document_id)")
    connection.execute(f"CREATE INDEX rows_{name}_digest ON rows_{name} (digest)")
    create_words(connection, name)
    index_fields(connection, name, indexed)


def create_words(connection: sqlite3.Connection, name: str) -> None:
    """Create what belongs to the rows, and goes with them."""
    connection.execute(f"CREATE TABLE words_{name} (id INTEGER PRIMARY KEY, tokens TEXT NOT NULL)")
    connection.execute(f"CREATE TABLE late_{name} (id INTEGER PRIMARY KEY, codes BLOB NOT NULL)")
    connection.execute(
        f"CREATE TRIGGER rows_{name}_gone AFTER DELETE ON rows_{name} BEGIN"
        f" DELETE FROM words_{name} WHERE id = old.id; DELETE FROM late_{name} WHERE id = old.id; END"
    )


def index_fields(connection: sqlite3.Connection, name: str, fields: Sequence[str]) -> None:
    """Make filters on fields fast."""
    for field in fields:
        connection.execute(
            f"CREATE INDEX IF NOT EXISTS rows_{name}_{field} ON rows_{name} (json_extract(data, '$.{field}'))"
        )


def drop_collection(connection: sqlite3.Connection, name: str) -> None:
    """Drop the tables of a collection."""
    for table in (f"rows_{name}", f"words_{name}", f"late_{name}"):
        connection.execute(f"DROP TABLE {table}")


def collection_names(connection: sqlite3.Connection) -> list[str]:
    """Name the collections that were created."""
    query = (
        "SELECT substr(name, 6) FROM sqlite_master WHERE type = 'table' AND name LIKE 'rows!_%' ESCAPE '!'"
    )
    return [str(row[0]) for row in connection.execute(query)]


def to_layout_2(connection: sqlite3.Connection) -> None:
    """Add the digests of what was embedded."""
    for name in collection_names(connection):
        connection.execute(f"ALTER TABLE rows_{name} ADD COLUMN digest BLOB")
        connection.execute(f"CREATE INDEX rows_{name}_digest ON rows_{name} (digest)")


def to_layout_3(connection: sqlite3.Connection) -> None:
    """Keep the tokens in a plain table, from which the keyword index is made, in place of FTS5."""
    for name in collection_names(connection):
        connection.execute(f"DROP TRIGGER rows_{name}_gone")
        connection.execute(f"ALTER TABLE words_{name} RENAME TO older_words_{name}")
        create_words(connection, name)
        connection.execute(f"INSERT INTO words_{name} SELECT rowid, tokens FROM older_words_{name}")
        connection.execute(f"DROP TABLE older_words_{name}")
