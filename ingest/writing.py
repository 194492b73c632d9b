"""What an ingest writes for each file, and what it tells of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ingest.blocks import Outcome
from ingest.discover import FoundFile
from ingest.plan import Known, Moved, Step, ToRead, Unreadable
from ingest.prepare import Prepared, stem
from ingest.report import FileReport
from ingest.store import DocumentStore
from ingest.worker import Refusal, Reply
from retrieval.access import PUBLIC, Access
from retrieval.embedding import Embedded
from retrieval.records import DocumentState, SourceDocument, Tags

# Kept as rows without text: they are listed, and not read again while they stay as they are.
_REMEMBERED = (Outcome.ENCRYPTED, Outcome.NO_TEXT_LAYER)


class Writer:
    """Writes one file after another, each in one transaction, in one thread."""

    def __init__(
        self,
        store: DocumentStore,
        tags: Tags,
        failure_recipe: str,
        dimension: int,
        access: Access | None = None,
    ) -> None:
        """Write to a store.

        Args:
            store: what is written to.
            tags: are given to every document.
            failure_recipe: is kept with a failure.
            dimension: of the vectors.
            access: who may read every document; None leaves it as it is, and new ones to everyone.
        """
        self._store = store
        self._tags = tags
        self._access = access
        self._failure_recipe = failure_recipe
        self._no_vectors = np.zeros((0, dimension), np.float32)

    def file(self, found: FoundFile, step: Step, reply: Reply | None, vectors: Embedded | None) -> FileReport:
        """Write what was found out about a file; return what to tell of it."""
        if isinstance(step, Unreadable):
            return _kept(found, step.state, step.outcome, step.message)
        if isinstance(step, Known):
            return self._known(found, step)
        if isinstance(step, Moved):
            return self._moved(found, step)
        if isinstance(reply, Refusal):
            self._remember(found, step, reply)
            return _kept(found, step.state, reply.outcome, reply.message)
        assert reply is not None
        assert vectors is not None
        return self._replace(found, step, reply, vectors)

    def _known(self, found: FoundFile, step: Known) -> FileReport:
        state = step.state
        if step.file is not None:
            self._store.touch(state.id, size=step.file.size, mtime_ns=step.file.mtime_ns)
        self._give(state)
        # A scan without text is no more readable than the last time, and is told as what it is.
        outcome = Outcome(state.outcome)
        known = outcome in (Outcome.OK, Outcome.PARTIAL)
        return _report(found, state, Outcome.UNCHANGED if known else outcome, state.message)

    def _moved(self, found: FoundFile, step: Moved) -> FileReport:
        state = step.state
        title = stem(found.name) if state.title == stem(state.name) else state.title
        self._store.move(state.id, path=found.key, name=found.name, title=title)
        self._store.touch(state.id, size=step.file.size, mtime_ns=step.file.mtime_ns)
        self._give(state)
        return _report(found, state, Outcome.UNCHANGED, f"moved here from {state.name}")

    def _give(self, state: DocumentState) -> None:
        """Give a document the tags and the readers of this ingest."""
        if self._access is not None and not self._access.is_same(state.access):
            self._store.share(state.id, self._access)
        given = {**state.given_tags, **self._tags}
        if given != state.given_tags:
            self._store.tag(state.id, given)

    def _replace(self, found: FoundFile, step: ToRead, prepared: Prepared, vectors: Embedded) -> FileReport:
        before = step.state
        document = replace(
            prepared.document,
            name=before.name if before is not None else found.name,
            given_tags={**(before.given_tags if before is not None else {}), **self._tags},
            access=self._readers(before),
        )
        self._store.replace(document, prepared.chunks, vectors.vectors, prepared.texts, vectors.late)
        return FileReport(
            found.shown,
            Outcome(document.outcome),
            chunks=len(prepared.chunks),
            pages=prepared.pages,
            empty_pages=document.empty_pages,
            encoding=document.encoding,
            message=document.message,
            engines=document.engines,
        )

    def _readers(self, before: DocumentState | None) -> Access:
        return self._access or (before.access if before is not None else PUBLIC)

    def _remember(self, found: FoundFile, step: ToRead, refusal: Refusal) -> None:
        """Keep a row for a file that holds something we cannot get at, if it had no text in the index."""
        state = step.state
        if not (refusal.costly or refusal.outcome in _REMEMBERED) or (state is not None and state.chunks > 0):
            return
        document = SourceDocument(
            path=found.key,
            name=state.name if state is not None else found.name,
            title=stem(found.name),
            format=Path(found.name).suffix.lower().lstrip("."),
            text="",
            content_hash=step.file.digest,
            size=step.file.size,
            mtime_ns=step.file.mtime_ns,
            outcome=str(refusal.outcome),
            message=refusal.message,
            given_tags={**(state.given_tags if state is not None else {}), **self._tags},
            access=self._readers(state),
            recipe=self._failure_recipe,
        )
        self._store.replace(document, [], self._no_vectors)


def _report(found: FoundFile, state: DocumentState, outcome: Outcome, message: str) -> FileReport:
    return FileReport(
        found.shown,
        outcome,
        chunks=state.chunks,
        pages=state.pages,
        empty_pages=state.empty_pages,
        encoding=state.encoding,
        message=message,
        engines=state.engines,
    )


def _kept(found: FoundFile, state: DocumentState | None, outcome: Outcome, message: str) -> FileReport:
    """Report a file that could not be read, and that an earlier version of it is still there."""
    if state is None or state.chunks == 0:
        return FileReport(found.shown, outcome, message=message)
    return FileReport(
        found.shown,
        outcome,
        chunks=state.chunks,
        message=f"{message}; the earlier version stays in the index",
    )
