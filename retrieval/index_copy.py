"""An index from one place to another, a folder or a server, as it is: nothing is read or embedded again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from retrieval.errors import UsageError
from retrieval.index_meta import COPYING, KEPT
from retrieval.passage_rows import COLLECTION, FIELDS, INDEXED
from retrieval.stores.interface import Collection, IndexDatabase, Row
from retrieval.stores.opening import Place, is_address, open_database, shown

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Copied:
    """How much was copied."""

    documents: int
    passages: int


def copy_index(source: Place, target: Place, *, on_progress: Progress = lambda done, total: None) -> Copied:
    """Copy the documents of an index with all that searches need into a place that holds none.

    A copy that was killed is begun anew; until one ends, the target cannot be opened.

    Args:
        source: where the index is.
        target: where it is to be.
        on_progress: is told how many documents of how many are copied.

    Raises:
        UsageError: source and target are the same, or there are documents in the target.
        IndexMissingError: there is no index in the source.
        IndexBusyError: another process writes to the target.
    """
    if _named(source) == _named(target):
        raise UsageError(f"{shown(source)} cannot be copied to itself: name another place")
    with (
        closing(open_database(source, create=False)) as here,
        closing(open_database(target, create=True)) as there,
        there.writer(),
    ):
        _clear(there, shown(source))
        for key in KEPT:
            value = here.get_meta(key)
            if value is not None:
                there.set_meta(key, value)
        dimension = int(here.get_meta(f"dimension:{COLLECTION}") or 0)
        from_rows, to_rows = (
            database.collection(COLLECTION, dimension=dimension, fields=FIELDS, indexed=INDEXED)
            for database in (here, there)
        )
        if not dimension:  # nothing was ever ingested
            there.set_meta(COPYING, "")
            return Copied(0, 0)
        to_rows.ensure()
        with here.read():
            ids = sorted(row.id for row in here.documents().summaries())
            passages = 0
            for done, document_id in enumerate(ids, start=1):
                passages += _copy_document(document_id, here, from_rows, there, to_rows)
                on_progress(done, len(ids))
        there.set_meta(COPYING, "")
        to_rows.save_index()
    return Copied(len(ids), passages)


def _named(place: Place) -> str:
    return str(place) if is_address(place) else str(Path(place).resolve())


def _clear(there: IndexDatabase, source: str) -> None:
    """Mark the target as one that is being copied to, and take out what a copy that was killed left.

    Raises:
        UsageError: it holds documents that no copy left.
    """
    documents = there.documents()
    held = documents.summaries()
    if held and not there.get_meta(COPYING):
        raise UsageError(f"{there.place} holds {len(held)} documents already: name a place that holds none")
    there.set_meta(COPYING, source)
    for row in held:
        documents.remove(row.path)


def _copy_document(
    document_id: int, here: IndexDatabase, from_rows: Collection, there: IndexDatabase, to_rows: Collection
) -> int:
    document, ingested_at = here.documents().whole(document_id)
    with to_rows.changing():
        found = list(from_rows.whole(document_id))
        new = there.documents().put(document, len(found), ingested_at=ingested_at)
        to_rows.upsert(list(_belonging(found, new)))
    return len(found)


def _belonging(rows: list[Row], document_id: int) -> Iterator[Row]:
    for row in rows:
        number = str(row.key).partition(":")[2]
        data = dict(row.data) | {"document_id": document_id}
        yield replace(row, key=f"{document_id}:{number}", data=data, document_id=document_id)
