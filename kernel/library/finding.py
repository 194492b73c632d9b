"""A document of the index by its id, if it is the caller's to read, and what is left of one that was deleted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ingest.names import key_path, path_key
from kernel.library.uploads import FORMER_FOLDERS, is_generated
from retrieval.access import Caller
from retrieval.errors import NotFoundError
from retrieval.filters import Where
from retrieval.passages import PassageIndex
from retrieval.records import DocumentState, DocumentSummary, SourceDocument, document_key, merged_tags


@dataclass(frozen=True, slots=True)
class Held:
    """A document as the index has it."""

    state: DocumentState
    document: SourceDocument
    ingested_at: str

    def summary(self) -> DocumentSummary:
        """Return it as a row of the list of documents."""
        document = self.document
        return DocumentSummary(
            id=self.state.id,
            document=document.name,
            path=document.path,
            title=document.title,
            format=document.format,
            language=document.language,
            pages=len(document.page_starts) or None,
            chunks=self.state.chunks,
            characters=len(document.text),
            outcome=document.outcome,
            ingested_at=self.ingested_at,
            created=document.created,
            modified=document.modified,
            tags=merged_tags(document.tags, document.given_tags),
            access=document.access,
            message=document.message,
        )

    def left(self, index: PassageIndex, rows: Sequence[int]) -> list[str]:
        """Name what is left in the index of this document, which had passages of these ids."""
        is_left = {
            "the document": self.state.path in index.states(),
            "passages": bool(
                index.store.count(Where("document_id", "==", self.state.id)) or index.store.rows(rows)
            ),
            "vectors": bool(index.store.vectors(rows)),
        }
        return [name for name, found in is_left.items() if found]


class Finder:
    """Finds documents by their ids, which are listed once for each state of the index."""

    def __init__(self) -> None:
        self._listed: tuple[object, dict[str, DocumentState]] | None = None

    def find(self, index: PassageIndex, key: str, caller: Caller | None) -> Held:
        """Return a document.

        Raises:
            NotFoundError: there is none of this id that the caller may read.
        """
        version = (index.identity(), index.store.generation)
        listed = self._listed
        if listed is None or listed[0] != version:
            listed = self._listed = version, _listed(index)
        state = listed[1].get(key)
        if state is not None and index.readable(state.id, caller):
            try:
                return Held(state, *index.whole(state.id))
            except KeyError:  # deleted in this moment
                pass
        raise NotFoundError("there is no such document; /v1/documents lists those that there are")


def _listed(index: PassageIndex) -> dict[str, DocumentState]:
    """Return the documents by their ids, those of uploads that lay elsewhere also by the ids that they had there."""
    states = list(index.states().values())
    found = {document_key(state.path): state for state in states}
    for folder in (index.note(FORMER_FOLDERS) or {}).get("folders", ()):
        for state in states:
            name = key_path(state.path).name
            if is_generated(name):
                found.setdefault(document_key(path_key(key_path(folder) / name)), state)
    return found
