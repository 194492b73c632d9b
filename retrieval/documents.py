"""The documents of an index: what was read, when, with what outcome, and the text that spans point into."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any, Protocol

from retrieval.access import Access, Caller
from retrieval.filters import Filter
from retrieval.records import DocumentState, DocumentSummary, SourceDocument, Tags, merged_tags
from retrieval.rights import within
from retrieval.stores.storable import storable

Condition = Callable[[Filter, Mapping[str, str]], tuple[str, list[Any]]]
"""Gives a filter as a condition of SQL with its parameters, see `Filter.sql`."""
_TAGS = ("tags", "given_tags")


class SqlDatabase(Protocol):
    """A database whose statements mark their parameters by `?`."""

    @property
    def connection(self) -> Any:
        """This thread's connection."""

    def write(self) -> AbstractContextManager[Any]:
        """Write in one transaction."""


class DocumentTable:
    """The table `documents` of SQLite or PostgreSQL. Rows of collections that belong to a document go with it."""

    def __init__(
        self,
        database: SqlDatabase,
        *,
        condition: Condition = lambda where, columns: where.sql(columns),
        columns: Mapping[str, str] = {"tags": "tags", "given_tags": "given_tags"},
    ) -> None:
        """Describe the table.

        Args:
            database: that it is in.
            condition: gives filters as that database understands them.
            columns: the SQL expressions of the columns of tags.
        """
        self._database = database
        self._condition = condition
        self._columns = columns

    def states(self) -> dict[str, DocumentState]:
        """Return what is known of each document, by its absolute path."""
        rows = self._database.connection.execute(
            "SELECT id, path, name, content_hash, size, mtime_ns, chunks, page_starts, empty_pages, encoding,"
            " outcome, message, title, given_tags, engines, recipe, owner FROM documents"
        )
        readers = self._readers()
        return {
            row[1]: DocumentState(
                id=row[0],
                path=row[1],
                name=row[2],
                content_hash=row[3],
                size=row[4],
                mtime_ns=row[5],
                chunks=row[6],
                pages=len(json.loads(row[7])) or None,
                empty_pages=tuple(json.loads(row[8])),
                encoding=row[9],
                outcome=row[10],
                message=row[11],
                title=row[12],
                given_tags=_tags(row[13]),
                engines=_engines(row[14]),
                recipe=row[15],
                access=Access(row[16], readers.get(row[0], ())),
            )
            for row in rows
        }

    def touch(self, document_id: int, *, size: int, mtime_ns: int) -> None:
        """Note that a file with the same content was written again."""
        with self._database.write() as connection:
            connection.execute(
                "UPDATE documents SET size = ?, mtime_ns = ? WHERE id = ?", (size, mtime_ns, document_id)
            )

    def put(self, document: SourceDocument, chunks: int, *, ingested_at: str | None = None) -> int:
        """Store a document in place of the one of the same path, whose chunks go with it; return the new id."""
        values = {
            "path": document.path,
            "name": document.name,
            "title": document.title,
            "format": document.format,
            "language": document.language,
            "encoding": document.encoding,
            "text": document.text,
            "page_starts": json.dumps(document.page_starts),
            "empty_pages": json.dumps(document.empty_pages),
            "content_hash": document.content_hash,
            "size": document.size,
            "mtime_ns": document.mtime_ns,
            "outcome": document.outcome,
            "message": document.message,
            "chunks": chunks,
            "created": document.created,
            "modified": document.modified,
            "tags": _json(document.tags),
            "given_tags": _json(document.given_tags),
            "engines": json.dumps(document.engines),
            "recipe": document.recipe,
            "owner": document.access.owner,
            "ingested_at": ingested_at or datetime.now(UTC).isoformat(timespec="seconds"),
        }
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        with self._database.write() as connection:
            connection.execute("DELETE FROM documents WHERE path = ?", (document.path,))
            query = f"INSERT INTO documents ({names}) VALUES ({marks}) RETURNING id"
            document_id = int(connection.execute(query, tuple(values.values())).fetchone()[0])
            self._share(connection, document_id, document.access)
        return document_id

    def share(self, document_id: int, access: Access) -> None:
        """Set who may read a document."""
        with self._database.write() as connection:
            connection.execute("UPDATE documents SET owner = ? WHERE id = ?", (access.owner, document_id))
            self._share(connection, document_id, access)

    @staticmethod
    def _share(connection: Any, document_id: int, access: Access) -> None:
        connection.execute("DELETE FROM readers WHERE document_id = ?", (document_id,))
        for principal in access.principals():
            connection.execute("INSERT INTO readers VALUES (?, ?)", (principal, document_id))

    def readable(self, document_id: int, caller: Caller) -> bool:
        """Tell whether somebody may read a document."""
        readable, values = self._readable(caller)
        query = f"SELECT 1 FROM documents WHERE id = ? AND {readable}"
        row = self._database.connection.execute(query, (document_id, *values)).fetchone()
        return row is not None

    def _readable(self, caller: Caller | None) -> tuple[str, tuple[Any, ...]]:
        """Return the condition that a caller may read a document, and its parameters; None may read all."""
        conditions: list[str] = []
        values: list[Any] = []
        if caller is not None and not caller.owns:
            principals = caller.principals()
            marks = ", ".join("?" * len(principals))
            conditions.append(f"id IN (SELECT document_id FROM readers WHERE principal IN ({marks}))")
            values += principals
        bound = within(caller, _TAGS)
        if bound is not None:
            condition, more = self._condition(bound, self._columns)
            conditions.append(f"({condition})")
            values += more
        return " AND ".join(conditions) or "true", tuple(values)

    def _readers(self) -> dict[int, tuple[str, ...]]:
        """Return the readers of each document, the owner left out who is not named among them."""
        query = (
            "SELECT document_id, principal FROM readers JOIN documents ON id = document_id"
            " WHERE principal <> 'user:' || owner ORDER BY document_id, principal"
        )
        found: dict[int, tuple[str, ...]] = {}
        for document_id, principal in self._database.connection.execute(query):
            found[document_id] = (*found.get(document_id, ()), principal)
        return found

    def rename(self, document_id: int, *, path: str, name: str, title: str) -> None:
        """Note that a document's file has another path now."""
        with self._database.write() as connection:
            connection.execute(
                "UPDATE documents SET path = ?, name = ?, title = ? WHERE id = ?",
                (path, name, title, document_id),
            )

    def tag(self, document_id: int, given_tags: Tags) -> Tags:
        """Replace the tags that a person gave a document; return all that it has now."""
        query = "UPDATE documents SET given_tags = ? WHERE id = ? RETURNING tags"
        with self._database.write() as connection:
            row = connection.execute(query, (_json(given_tags), document_id)).fetchone()
        return merged_tags(_tags(row[0]) if row else {}, given_tags)

    def remove(self, path: str) -> None:
        """Delete a document."""
        with self._database.write() as connection:
            connection.execute("DELETE FROM documents WHERE path = ?", (path,))

    def summaries(self, caller: Caller | None = None) -> list[DocumentSummary]:
        """List the documents by name; for a caller those that the caller may read."""
        readable, values = self._readable(caller)
        readers = self._readers()
        rows = self._database.connection.execute(
            "SELECT id, name, path, title, format, language, page_starts, chunks, length(text), outcome,"
            " ingested_at, created, modified, tags, given_tags, owner, message FROM documents"
            f" WHERE {readable} ORDER BY name, path",
            values,
        )
        return [
            DocumentSummary(
                id=row[0],
                document=row[1],
                path=row[2],
                title=row[3],
                format=row[4],
                language=row[5],
                pages=len(json.loads(row[6])) or None,
                chunks=row[7],
                characters=row[8],
                outcome=row[9],
                ingested_at=row[10],
                created=row[11],
                modified=row[12],
                tags=merged_tags(_tags(row[13]), _tags(row[14])),
                access=Access(row[15], readers.get(row[0], ())),
                message=row[16],
            )
            for row in rows
        ]

    def contents(self, names: Sequence[str], caller: Caller | None = None) -> dict[str, frozenset[str]]:
        """Return the hashes of what the documents of some names hold; a caller gets those that the caller may read."""
        readable, values = self._readable(caller)
        query = f"SELECT content_hash FROM documents WHERE name = ? AND {readable}"
        found: dict[str, frozenset[str]] = {}
        for name in dict.fromkeys(names):
            rows = self._database.connection.execute(query, (name, *values))
            if hashes := frozenset(str(row[0]) for row in rows):
                found[name] = hashes
        return found

    def text(self, document_id: int) -> str | None:
        """Return the text of a document as it was read; spans are offsets into it."""
        query = "SELECT text FROM documents WHERE id = ?"
        row = self._database.connection.execute(query, (document_id,)).fetchone()
        return None if row is None else str(row[0])

    def excerpts(self, spans: Iterable[tuple[int, int, int]]) -> dict[tuple[int, int, int], str]:
        """Return the text of spans, each (document id, start, end), without loading whole documents."""
        query = "SELECT substr(text, ?, ?) FROM documents WHERE id = ?"
        found: dict[tuple[int, int, int], str] = {}
        for document_id, start, end in spans:
            row = self._database.connection.execute(query, (start + 1, end - start, document_id)).fetchone()
            found[document_id, start, end] = str(row[0]) if row else ""
        return found

    def page_starts(self, document_ids: Iterable[int]) -> dict[int, tuple[int, ...]]:
        """Return where the pages of documents begin."""
        query = "SELECT page_starts FROM documents WHERE id = ?"
        found: dict[int, tuple[int, ...]] = {}
        for document_id in document_ids:
            row = self._database.connection.execute(query, (document_id,)).fetchone()
            found[document_id] = tuple(json.loads(row[0])) if row else ()
        return found

    def whole(self, document_id: int) -> tuple[SourceDocument, str]:
        """Return a document as `put` takes it, and when it was ingested.

        Raises:
            KeyError: there is none.
        """
        row = self._database.connection.execute(
            "SELECT path, name, title, format, text, content_hash, size, mtime_ns, encoding, language,"
            " page_starts, empty_pages, outcome, message, created, modified, tags, given_tags, engines, recipe,"
            " owner, ingested_at FROM documents WHERE id = ?",
            (document_id,),
        ).fetchone()
        if row is None:
            raise KeyError(document_id)
        document = SourceDocument(
            path=row[0],
            name=row[1],
            title=row[2],
            format=row[3],
            text=row[4],
            content_hash=row[5],
            size=row[6],
            mtime_ns=row[7],
            encoding=row[8],
            language=row[9],
            page_starts=tuple(json.loads(row[10])),
            empty_pages=tuple(json.loads(row[11])),
            outcome=row[12],
            message=row[13],
            created=row[14],
            modified=row[15],
            tags=_tags(row[16]),
            given_tags=_tags(row[17]),
            engines=_engines(row[18]),
            recipe=row[19],
            access=Access(row[20], self._readers().get(document_id, ())),
        )
        return document, row[21]


def _json(tags: Tags) -> str:
    # As servers can hold it also where they look into it.
    return json.dumps(storable(dict(tags)), ensure_ascii=False)


def _tags(text: str) -> dict[str, tuple[str, ...]]:
    return {key: tuple(values) for key, values in json.loads(text).items()}


def _engines(text: str) -> dict[str, tuple[int, ...]]:
    return {name: tuple(pages) for name, pages in json.loads(text).items()}
