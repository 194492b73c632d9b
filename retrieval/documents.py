"""The documents of an index: what was read, when, with what outcome, and the text that spans point into."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime

from retrieval.database import Database
from retrieval.records import DocumentState, DocumentSummary, SourceDocument


class DocumentTable:
    """The table `documents`. Rows of collections that belong to a document go with it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def states(self) -> dict[str, DocumentState]:
        """Return what is known of each document, by its absolute path."""
        rows = self._database.connection.execute(
            "SELECT id, path, name, content_hash, size, mtime_ns, chunks, page_starts, empty_pages, encoding,"
            " outcome, message FROM documents"
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
            "ingested_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        names, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
        with self._database.write() as connection:
            connection.execute("DELETE FROM documents WHERE path = ?", (document.path,))
            cursor = connection.execute(f"INSERT INTO documents ({names}) VALUES ({marks})", values)
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def remove(self, path: str) -> None:
        """Delete a document."""
        with self._database.write() as connection:
            connection.execute("DELETE FROM documents WHERE path = ?", (path,))

    def summaries(self) -> list[DocumentSummary]:
        """List the documents by name."""
        rows = self._database.connection.execute(
            "SELECT id, name, path, title, format, language, page_starts, chunks, length(text), outcome,"
            " ingested_at FROM documents ORDER BY name, path"
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
            )
            for row in rows
        ]

    def text(self, document_id: int) -> str | None:
        """Return the text of a document as it was read; spans are offsets into it."""
        query = "SELECT text FROM documents WHERE id = ?"
        row = self._database.connection.execute(query, (document_id,)).fetchone()
        return None if row is None else str(row[0])

    def page_starts(self, document_ids: Iterable[int]) -> dict[int, tuple[int, ...]]:
        """Return where the pages of documents begin."""
        query = "SELECT page_starts FROM documents WHERE id = ?"
        found: dict[int, tuple[int, ...]] = {}
        for document_id in document_ids:
            row = self._database.connection.execute(query, (document_id,)).fetchone()
            found[document_id] = tuple(json.loads(row[0])) if row else ()
        return found
