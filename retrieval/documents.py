"""The documents of an index: what was read, when, with what outcome, and the text that spans point into."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime

from retrieval.database import Database
from retrieval.records import DocumentState, DocumentSummary, SourceDocument, Tags, merged_tags


class DocumentTable:
    """The table `documents`. Rows of collections that belong to a document go with it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def states(self) -> dict[str, DocumentState]:
        """Return what is known of each document, by its absolute path."""
        rows = self._database.connection.execute(
            "SELECT id, path, name, content_hash, size, mtime_ns, chunks, page_starts, empty_pages, encoding,"
            " outcome, message, title, given_tags, engines, recipe FROM documents"
        )
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
            )
            for row in rows
        }

    def touch(self, document_id: int, *, size: int, mtime_ns: int) -> None:
        """Note that a file with the same content was written again."""
        with self._database.write() as connection:
            connection.execute(
                "UPDATE documents SET size = ?, mtime_ns = ? WHERE id = ?", (size, mtime_ns, document_id)
            )

    def put(self, document: SourceDocument, chunks: int) -> int:
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
            "tags": json.dumps(document.tags, ensure_ascii=False),
            "given_tags": json.dumps(document.given_tags, ensure_ascii=False),
            "engines": json.dumps(document.engines),
            "recipe": document.recipe,
            "ingested_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        names, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
        with self._database.write() as connection:
            connection.execute("DELETE FROM documents WHERE path = ?", (document.path,))
            cursor = connection.execute(f"INSERT INTO documents ({names}) VALUES ({marks})", values)
        assert cursor.lastrowid is not None
        return cursor.lastrowid

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
            given = json.dumps(given_tags, ensure_ascii=False)
            row = connection.execute(query, (given, document_id)).fetchone()
        return merged_tags(_tags(row[0]) if row else {}, given_tags)

    def remove(self, path: str) -> None:
        """Delete a document."""
        with self._database.write() as connection:
            connection.execute("DELETE FROM documents WHERE path = ?", (path,))

    def summaries(self) -> list[DocumentSummary]:
        """List the documents by name."""
        rows = self._database.connection.execute(
            "SELECT id, name, path, title, format, language, page_starts, chunks, length(text), outcome,"
            " ingested_at, created, modified, tags, given_tags FROM documents ORDER BY name, path"
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
            )
            for row in rows
        ]

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


def _tags(text: str) -> dict[str, tuple[str, ...]]:
    return {key: tuple(values) for key, values in json.loads(text).items()}


def _engines(text: str) -> dict[str, tuple[int, ...]]:
    return {name: tuple(pages) for name, pages in json.loads(text).items()}
