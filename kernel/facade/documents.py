"""The documents of an index: taken in, listed, shared, read, embedded anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ingest.pipeline import Progress, check_paths, ingest_paths
from ingest.report import FileReport, IngestReport
from ingest.untaken import UNTAKEN, LeftOut, brought_up, left_out
from kernel.embedders import find_embedder
from kernel.facade.base import FacadeBase
from kernel.ingestion import RESERVED_TOKENS, check_engine, ingest_plan, stages_of
from kernel.reembedding import reembed_index
from retrieval.access import Access, Caller
from retrieval.errors import UsageError
from retrieval.filters import Matches
from retrieval.late_vectors import TokenCodec
from retrieval.passages import PassageIndex
from retrieval.records import DocumentSummary, Passage, Tags


@dataclass(frozen=True, slots=True)
class DocumentPart:
    """A part of a document's text, from `start` to `end`; the whole has `characters`."""

    document: str
    start: int
    end: int
    characters: int
    text: str


class DocumentWork(FacadeBase):
    """What is done with the documents of an index."""

    def ingest(
        self,
        paths: Sequence[Path],
        *,
        tags: Tags | None = None,
        prune: bool | None = None,
        passwords: Sequence[str] = (),
        ocr: bool | None = None,
        engine: str = "local",
        address: str | None = None,
        access: Access | None = None,
        names: Mapping[Path, str] | None = None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> IngestReport:
        """Bring the index in step with files and folders.

        Args:
            paths: files and folders.
            tags: key words to give to every document, by which a search can be narrowed.
            prune: take out what is gone: None unless a whole folder is empty, True always, False never.
            passwords: are tried on encrypted files.
            ocr: read pages without text by text recognition; None takes the setting.
            engine: where files are read and embedded: `local`, or `ray` for a cluster.
            address: of the cluster; None starts a Ray on this machine.
            access: who may read the documents; None leaves it as it is, and new ones to everyone.
            names: names for people of files that are named here, for uploads.
            on_progress: is told after each file.

        Raises:
            UsageError: a path is missing, or a folder holds nothing to read.
            IndexBusyError: another process is writing to the index.
            IndexSignatureError: the index was made with another embedder.
        """
        if not PassageIndex.is_in(self.settings.place):
            check_paths(paths)  # so that a slip of the pen leaves no empty index behind
        plan = ingest_plan(
            self.settings,
            self._find_embedder(),
            tags=tags,
            prune=prune,
            passwords=passwords,
            ocr=ocr,
            access=access,
            names=names,
        )
        check_engine(engine, address)
        index = self._open_index(create=True)
        with index.writing():
            codec = self._token_codec(index)
            stages = stages_of(engine, address, self.settings, plan, codec)
            report = ingest_paths(
                paths,
                store=index,
                embedder=self._find_embedder(),
                plan=plan,
                codec=codec,
                stages=stages,
                on_progress=on_progress,
            )
            index.learn_weights(self._find_embedder().embed_query, say=self._say)
            # Who uploads, or reads one document again, is told at once; of an upload that failed nothing is kept.
            _note_left_out(index, report, adds=names is None)
        with self._stored_answers() as answers:
            answers.keep_only({state.id for state in index.states().values()})
        return report

    def documents(self, *, caller: Caller | None = None) -> list[DocumentSummary]:
        """List the documents in the index. Needs no model, and does not ask which one made the index."""
        with self._any_index() as index:
            return index.documents(caller=caller)

    def left_out(self) -> LeftOut:
        """Return the files that ingests looked at and could not take in. Needs no model; for who runs the service,
        since what the index does not have nobody was given to read."""
        with self._any_index() as index:
            return left_out(index.note(UNTAKEN))

    def passages_of(self, document: DocumentSummary, numbers: Sequence[int]) -> list[Passage]:
        """Return some passages of a document out of `documents`, counted from 0. Needs no model."""
        with self._any_index() as index:
            return index.passages_of(document, numbers)

    def share(self, names: Sequence[str], access: Access) -> int:
        """Set who may read documents, by their names or patterns of them; return how many there are.

        Raises:
            UsageError: a name or pattern fits no document; nothing is changed then.
        """
        with self._any_index() as index, index.writing():
            documents = index.documents()
            chosen: set[int] = set()
            for name in names:
                fitting = {row.id for row in documents if Matches("document", name)(row)}
                if not fitting:
                    raise UsageError(f"no document is named '{name}'; `tekio documents` lists them")
                chosen |= fitting
            for document_id in sorted(chosen):
                index.share(document_id, access)
        with self._stored_answers() as answers:
            answers.forget(chosen)
        return len(chosen)

    def reembed(
        self, embedder: str, *, on_progress: Callable[[int, int], None] = lambda done, total: None
    ) -> int:
        """Embed the index anew by another embedder, in one transaction; return how many passages there are.

        Searches of other processes go on in what was before, until it is done; from then on the index opens with
        the new embedder alone, and this Tekio, which is of the old one, is closed.

        Args:
            embedder: its name or folder, as in the settings.
            on_progress: is told how many passages of how many are done.

        Raises:
            UsageError: there is no such embedder.
            IndexMissingError: there is no index.
            IndexSignatureError: the index was made with another embedder than the one in the settings.
            IndexBusyError: another process is writing to the index.
        """
        index = self._open_index()
        chosen = self.settings.model_copy(update={"embedder": embedder})
        new = find_embedder(chosen, self._models, self._say)
        if new.signature == self._find_embedder().signature:
            raise UsageError(f"the index is embedded by {embedder} already")
        room = new.max_tokens - RESERVED_TOKENS
        tokens = min(self.settings.chunk_tokens, room)
        with self._stored_answers() as answers:
            answers.clear()
        try:
            return reembed_index(index, new, chunk_tokens=tokens, say=self._say, on_progress=on_progress)
        finally:
            self.close()

    def quote(self, passage_id: int, start: int, end: int, *, caller: Caller | None = None) -> str | None:
        """Return a span of the document that a passage is of; None when it is gone, or not the caller's to read."""
        return self._open_index().quote(passage_id, start, end, caller=caller)

    def read_document(self, name: str, start: int, end: int, *, caller: Caller | None = None) -> DocumentPart:
        """Return the text of a document from a character to another, or to its end where that comes first.

        Args:
            name: its name, as `documents` lists it, or the end of it.
            start: of the part.
            end: of the part.
            caller: reads what this caller may read; None is who owns the machine.

        Raises:
            UsageError: there is no such document for the caller, or the part is none.
        """
        from kernel.documents.reading import find_document

        if not 0 <= start <= end:
            raise UsageError(f"a part of a document goes from 0 on, and forwards, not from {start} to {end}")
        with self._any_index() as index, index.database.read():
            row = find_document(name, index.documents(caller=caller))
            start, end = min(start, row.characters), min(end, row.characters)
            text = index.excerpt(row.id, start, end)
        return DocumentPart(row.document, start, end, row.characters, text)

    def reread(self, key: str, *, ocr: bool | None = None, caller: Caller | None = None) -> FileReport:
        """Read a document again from its file, see `kernel.library.tending`."""
        from kernel.library.tending import reread

        return reread(self.library, self.ingest, key, ocr=ocr, caller=caller)

    def retag(self, key: str, tags: Tags, *, caller: Caller | None = None) -> None:
        """Give a document other key words, see `kernel.library.tending`."""
        from kernel.library.tending import retag

        retag(self.library, self._any_index, key, tags, caller=caller)

    def _token_codec(self, index: PassageIndex) -> TokenCodec | None:
        if not self.settings.token_vectors:
            return None
        return index.codec() or index.keep_tokens(self._find_embedder().token_codec())


def _note_left_out(index: PassageIndex, report: IngestReport, *, adds: bool) -> None:
    before = left_out(index.note(UNTAKEN))
    listed = {path for path, state in index.states().items() if not state.chunks}
    now = brought_up(before, report, listed, adds=adds)
    if now != before:
        index.keep_note(UNTAKEN, now.as_note())
