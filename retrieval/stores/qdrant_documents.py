"""The documents of an index in Qdrant, a point each, without a vector."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from retrieval.access import Access, Bound, Caller
from retrieval.records import DocumentState, DocumentSummary, SourceDocument, Tags, merged_tags
from retrieval.stores.qdrant_filters import TAG_SIGN
from retrieval.stores.storable import storable

if TYPE_CHECKING:
    from retrieval.stores.qdrant_database import QdrantDatabase

_BRIEF = {"exclude": ["text"]}
_SOURCE = [field.name for field in fields(SourceDocument) if field.name != "access"]
_COUNTER = "last_document"


class QdrantDocuments:
    """The documents of one index."""

    def __init__(self, database: QdrantDatabase) -> None:
        self._database = database
        self._connection = database.connection
        self._models = database.models
        self._name = f"{database.address.name}.documents"

    def create(self) -> None:
        """Create what holds them."""
        self._connection.call("create_collection", self._name, vectors_config={})
        self._index_fields("path", "readers", "tagged")

    def _index_fields(self, *fields: str) -> None:
        if not self._database.address.folder:
            for field in fields:
                self._connection.call("create_payload_index", self._name, field, "keyword")

    def add_tagged(self) -> None:
        """Bring documents of layout 1 to layout 2, which has their tags as texts beside their tags."""
        self._index_fields("tagged")
        for document_id, row in self._all().items():
            tagged = _tagged(merged_tags(_tags(row["tags"]), _tags(row["given_tags"])))
            self._connection.call("set_payload", self._name, {"tagged": tagged}, points=[document_id])

    def _all(self, condition: Any = None) -> dict[int, dict[str, Any]]:
        selector = self._models.PayloadSelectorExclude(**_BRIEF)
        return {
            point.id: point.payload
            for point in self._connection.scroll(self._name, condition, payload=selector)
        }

    def _one(self, document_id: int, *, text: bool = False) -> dict[str, Any] | None:
        payload = True if text else self._models.PayloadSelectorExclude(**_BRIEF)
        points = self._connection.call("retrieve", self._name, [document_id], with_payload=payload)
        return dict(points[0].payload) if points else None

    def _having(self, field: str, values: Iterable[str]) -> Any:
        match = self._models.MatchAny(any=list(values))
        return self._models.Filter(must=[self._models.FieldCondition(key=field, match=match)])

    def states(self) -> dict[str, DocumentState]:
        """Return what is known of each document, by its absolute path."""
        return {
            row["path"]: DocumentState(
                id=document_id,
                pages=len(row["page_starts"]) or None,
                empty_pages=tuple(row["empty_pages"]),
                given_tags=_tags(row["given_tags"]),
                engines=_engines(row["engines"]),
                access=_access(row),
                **{
                    name: row[name]
                    for name in (
                        "path",
                        "name",
                        "content_hash",
                        "size",
                        "mtime_ns",
                        "chunks",
                        "encoding",
                        "outcome",
                        "message",
                        "title",
                        "recipe",
                    )
                },
            )
            for document_id, row in sorted(self._all().items())
        }

    def touch(self, document_id: int, *, size: int, mtime_ns: int) -> None:
        """Note that a file with the same content was written again."""
        self._change(document_id, {"size": size, "mtime_ns": mtime_ns})

    def _change(self, document_id: int, values: Mapping[str, Any]) -> None:
        def send() -> None:
            self._connection.call("set_payload", self._name, storable(dict(values)), points=[document_id])

        with self._database.write() as pending:
            pending.documents.append(send)

    def put(self, document: SourceDocument, chunks: int, *, ingested_at: str | None = None) -> int:
        """Store a document in place of the one of the same path, whose chunks go with it; return the new id."""
        payload = {name: getattr(document, name) for name in _SOURCE}
        payload |= {
            "chunks": chunks,
            "characters": len(document.text),
            "ingested_at": ingested_at or datetime.now(UTC).isoformat(timespec="seconds"),
            "owner": document.access.owner,
            "readers": list(document.access.principals()),
            "tagged": _tagged(merged_tags(document.tags, document.given_tags)),
        }
        payload = storable(json.loads(json.dumps(payload, default=dict)))
        with self._database.write() as pending:
            (document_id,) = self._database.next_ids(_COUNTER, 1)
            self.remove(document.path)
            point = self._models.PointStruct(id=document_id, vector={}, payload=payload)
            pending.documents.append(lambda: self._connection.upsert(self._name, [point]))
            pending.readers[document_id] = payload["readers"]
        return document_id

    def share(self, document_id: int, access: Access) -> None:
        """Set who may read a document."""
        readers = list(access.principals())
        with self._database.write() as pending:
            self._change(document_id, {"owner": access.owner, "readers": readers})
            pending.adding.append(lambda: self._mark_rows(document_id, readers))

    def _mark_rows(self, document_id: int, readers: list[str]) -> None:
        for name in self._database.collection_names():
            self._connection.call(
                "set_payload", name, {"readers": readers}, points=self._rows_of([document_id])
            )

    def _rows_of(self, document_ids: Iterable[int]) -> Any:
        match = self._models.MatchAny(any=list(document_ids))
        return self._models.Filter(must=[self._models.FieldCondition(key="document_id", match=match)])

    def readers_of(self, document_id: int) -> list[str]:
        """Return who may read a document, also one that is still being written."""
        pending = self._database.pending
        if pending is not None and document_id in pending.readers:
            return pending.readers[document_id]
        row = self._one(document_id)
        return list(row["readers"]) if row else []

    def readable(self, document_id: int, caller: Caller) -> bool:
        """Tell whether somebody may read a document."""
        row = self._one(document_id)
        return row is not None and _may_read(row, caller)

    def _readable(self, caller: Caller | None) -> Any:
        """Return the condition that a caller may read a document; None may read all."""
        if caller is None:
            return None
        any_of = [] if caller.owns else [("readers", list(caller.principals()))]
        bound = () if caller.bound is None else caller.bound.tags
        any_of += [("tagged", _tagged({key: values})) for key, values in bound]
        match = self._models.MatchAny
        conditions = [
            self._models.FieldCondition(key=field, match=match(any=values)) for field, values in any_of
        ]
        return self._models.Filter(must=conditions)

    def rename(self, document_id: int, *, path: str, name: str, title: str) -> None:
        """Note that a document's file has another path now."""
        self._change(document_id, {"path": path, "name": name, "title": title})

    def tag(self, document_id: int, given_tags: Tags) -> Tags:
        """Replace the tags that a person gave a document; return all that it has now."""
        given = {key: list(values) for key, values in given_tags.items()}
        row = self._one(document_id)
        tags = merged_tags(_tags(row["tags"]) if row else {}, given_tags)
        self._change(document_id, {"given_tags": given, "tagged": _tagged(tags)})
        return tags

    def remove(self, path: str) -> None:
        """Delete a document."""
        with self._database.write() as pending:
            held = list(self._all(self._having("path", [storable(path)])))
            if held:
                pending.removing.append(lambda: self._delete(held))

    def _delete(self, document_ids: list[int]) -> None:
        for name in self._database.collection_names():
            self._connection.call(
                "delete", name, self._models.FilterSelector(filter=self._rows_of(document_ids))
            )
        self._connection.call("delete", self._name, document_ids)

    def mend(self) -> None:
        """Set right what a writer left that was killed.

        Of the documents of a path the newest stays, rows without a document go, and rows get the readers of theirs.
        """
        newest: dict[str, int] = {}
        every = self._all()
        for document_id, row in sorted(every.items()):
            newest[row["path"]] = document_id
        older = [document_id for document_id in every if document_id not in newest.values()]
        if older:
            self._delete(older)
        for name in self._database.collection_names():
            rows = self._connection.scroll(name, payload=["document_id", "readers"])
            held = {row.payload["document_id"]: row.payload["readers"] for row in rows}
            held.pop(None, None)
            lost = set(held) - set(newest.values())
            for document_id in set(held) - lost:
                if held[document_id] != every[document_id]["readers"]:
                    self._mark_rows(document_id, every[document_id]["readers"])
            if lost:
                condition = self._models.FilterSelector(filter=self._rows_of(lost))
                self._connection.call("delete", name, condition)

    def summaries(self, caller: Caller | None = None) -> list[DocumentSummary]:
        """List the documents by name; for a caller those that the caller may read."""
        found = [
            DocumentSummary(
                id=document_id,
                document=row["name"],
                pages=len(row["page_starts"]) or None,
                tags=merged_tags(_tags(row["tags"]), _tags(row["given_tags"])),
                access=_access(row),
                **{
                    name: row[name]
                    for name in (
                        "path",
                        "title",
                        "format",
                        "language",
                        "chunks",
                        "characters",
                        "outcome",
                        "ingested_at",
                        "created",
                        "modified",
                        "message",
                    )
                },
            )
            for document_id, row in self._all(self._readable(caller)).items()
        ]
        return sorted(found, key=lambda row: (row.document, row.path))

    def contents(self, names: Sequence[str], caller: Caller | None = None) -> dict[str, frozenset[str]]:
        """Return the hashes of what the documents of some names hold; a caller gets those that the caller may read."""
        found: dict[str, frozenset[str]] = {}
        wanted = {storable(name): name for name in names}
        if not wanted:
            return found
        for row in self._all(self._having("name", wanted)).values():
            if caller is None or _may_read(row, caller):
                name = wanted[row["name"]]
                found[name] = found.get(name, frozenset()) | {row["content_hash"]}
        return found

    def text(self, document_id: int) -> str | None:
        """Return the text of a document as it was read; spans are offsets into it."""
        row = self._one(document_id, text=True)
        return None if row is None else str(row["text"])

    def excerpts(self, spans: Iterable[tuple[int, int, int]]) -> dict[tuple[int, int, int], str]:
        """Return the text of spans, each (document id, start, end)."""
        wanted = list(spans)
        texts = {document_id: self.text(document_id) or "" for document_id in {span[0] for span in wanted}}
        return {span: texts[span[0]][span[1] : span[2]] for span in wanted}

    def page_starts(self, document_ids: Iterable[int]) -> dict[int, tuple[int, ...]]:
        """Return where the pages of documents begin."""
        ids = list(document_ids)
        points = (
            self._connection.call("retrieve", self._name, ids, with_payload=["page_starts"]) if ids else []
        )
        found = {point.id: tuple(point.payload["page_starts"]) for point in points}
        return {document_id: found.get(document_id, ()) for document_id in ids}

    def whole(self, document_id: int) -> tuple[SourceDocument, str]:
        """Return a document as `put` takes it, and when it was ingested.

        Raises:
            KeyError: there is none.
        """
        row = self._one(document_id, text=True)
        if row is None:
            raise KeyError(document_id)
        values = {name: row[name] for name in _SOURCE} | {
            "page_starts": tuple(row["page_starts"]),
            "empty_pages": tuple(row["empty_pages"]),
            "tags": _tags(row["tags"]),
            "given_tags": _tags(row["given_tags"]),
            "engines": _engines(row["engines"]),
            "access": _access(row),
        }
        return SourceDocument(**values), row["ingested_at"]


def _may_read(row: Mapping[str, Any], caller: Caller) -> bool:
    tags = merged_tags(_tags(row["tags"]), _tags(row["given_tags"]))
    bound: Bound | None = caller.bound
    is_reader = caller.owns or not set(row["readers"]).isdisjoint(caller.principals())
    return is_reader and (bound is None or bound.holds(tags))


def _tagged(tags: Tags) -> list[str]:
    """Return tags as texts, since their keys are no paths of a payload."""
    return [storable(f"{key}{TAG_SIGN}{value}") for key, values in tags.items() for value in values]


def _access(row: Mapping[str, Any]) -> Access:
    own = f"user:{row['owner']}"
    return Access(row["owner"], tuple(reader for reader in row["readers"] if reader != own))


def _tags(held: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    return {key: tuple(values) for key, values in held.items()}


def _engines(held: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(pages) for name, pages in held.items()}
