"""From the name of a place to its database: a folder, or the address of a server."""

from __future__ import annotations

import re
from pathlib import Path

from retrieval.database import DATABASE_FILE, Database
from retrieval.errors import IndexMissingError, UsageError
from retrieval.stores.interface import IndexDatabase

Place = Path | str
"""A folder, or an address: `postgresql://…`, `qdrant://…`."""

POSTGRES = ("postgresql://", "postgres://")
_PASSWORD = re.compile(r"(://[^/?#:@]*):[^/?#]*@")
QDRANT = ("qdrant://", "qdrant+https://", "qdrant+file://")


def is_address(place: Place) -> bool:
    """Tell whether a place is the address of a server and no folder."""
    return isinstance(place, str) and "://" in place


def open_database(place: Place, *, create: bool) -> IndexDatabase:
    """Open the database of an index.

    Raises:
        IndexMissingError: there is none and `create` is false.
        UsageError: it is no address that is known, or its packages are not installed.
        TekioError: it cannot be reached.
    """
    if not isinstance(place, str) or not is_address(place):
        return Database(Path(place), create=create)
    if place.startswith(POSTGRES):
        from retrieval.stores.postgres_database import PostgresDatabase

        return PostgresDatabase(place, create=create)
    if place.startswith(QDRANT):
        from retrieval.stores.qdrant_database import QdrantDatabase

        return QdrantDatabase(place, create=create)
    raise UsageError(
        f"'{place.partition('://')[0]}://' is no store of an index; there are a folder, postgresql://, "
        "qdrant://, qdrant+https:// and qdrant+file://"
    )


def is_in(place: Place) -> bool:
    """Say whether there is an index in a place."""
    if not is_address(place):
        return (Path(place) / DATABASE_FILE).is_file()
    try:
        open_database(place, create=False).close()
    except IndexMissingError:
        return False
    return True


def shown(place: Place) -> str:
    """Return a place as people are told it: without a password."""
    return _PASSWORD.sub(r"\1:***@", str(place))


def beside(place: Place, name: str) -> Place:
    """Return the place of another index beside this one: in the folder, or in the same server."""
    if isinstance(place, str) and place.startswith(POSTGRES):
        from retrieval.stores.postgres_address import beside as postgres_beside

        return postgres_beside(place, name)
    return f"{place}_{name}" if isinstance(place, str) else place.with_name(name)
