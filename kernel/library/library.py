"""The documents of an index one by one: taken in as uploads, looked at, deleted. The caller's rights hold on each.

A document is named by its `document_key`. One that the caller may not read is as good as not there; who may change
one is its owner, and whoever owns the machine.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from ingest.blocks import Outcome, ReadError
from ingest.discover import hash_file
from ingest.names import display, key_path, path_key
from ingest.pipeline import Progress
from ingest.readers import check_kind
from ingest.report import FileReport, IngestReport
from kernel.library.highlight import letters_of
from kernel.library.page_images import PageImages
from kernel.library.page_render import PageImage, PageRequest
from kernel.library.results import Deleted, Original, Upload, Uploaded, UploadReport
from kernel.library.uploads import Coming, TooLargeError, UploadFolder, clean_name
from retrieval.access import Access, Caller
from retrieval.access import access as access_of
from retrieval.errors import DeniedError, IndexMissingError, NotFoundError, TekioError, UsageError
from retrieval.filters import Where
from retrieval.passages import PassageIndex
from retrieval.records import (
    DocumentState,
    DocumentSummary,
    Passage,
    SourceDocument,
    Tags,
    document_key,
    merged_tags,
)

_READ = (Outcome.OK, Outcome.PARTIAL, Outcome.UNCHANGED)
WIDTH = 1200
"""Pixels of a page's image, unless told otherwise."""
LEAST_WIDTH, MOST_WIDTH = 50, 3000


class Ingest(Protocol):
    """Reads files into the index, see `Tekio.ingest`."""

    def __call__(
        self,
        paths: Sequence[Path],
        *,
        tags: Tags | None = None,
        prune: bool | None = None,
        passwords: Sequence[str] = (),
        ocr: bool | None = None,
        access: Access | None = None,
        names: Mapping[Path, str] | None = None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> IngestReport:
        """Bring the index in step with the files."""


class Library:
    """The documents of one index and the folder of its uploads. Methods block; call them from threads."""

    def __init__(
        self,
        uploads: UploadFolder,
        images: PageImages,
        *,
        index: Callable[[], AbstractContextManager[PassageIndex]],
        ingest: Ingest,
        forget_answers: Callable[[set[int]], int],
        image_memory: int,
    ) -> None:
        """Put it together.

        Args:
            uploads: where uploaded files are kept.
            images: draws pages.
            index: gives the index, whichever model made it.
            ingest: reads files into it.
            forget_answers: takes out the stored answers that rest on documents; returns how many.
            image_memory: bytes that drawing a page may take.
        """
        self._uploads = uploads
        self._images = images
        self._index = index
        self._ingest = ingest
        self._forget_answers = forget_answers
        self._image_memory = image_memory
        self._changing = threading.Lock()
        self._ids: tuple[object, dict[str, DocumentState]] | None = None

    # -- looking ------------------------------------------------------------------------------------------

    def get(self, key: str, *, caller: Caller | None = None) -> DocumentSummary:
        """Return a document.

        Raises:
            NotFoundError: there is none of this id that the caller may read.
            IndexMissingError: there is no index yet.
        """
        with self._index() as index:
            return _summary(index, *self._found(index, key, caller))

    def text(self, key: str, *, caller: Caller | None = None) -> str:
        """Return the text of a document as it was read, into which spans are offsets; see `get` for errors."""
        with self._index() as index:
            return self._found(index, key, caller)[1].text

    def passages(self, key: str, *, caller: Caller | None = None) -> list[Passage]:
        """Return all passages of a document in their order; see `get` for errors."""
        with self._index() as index:
            return index.passages_of(_summary(index, *self._found(index, key, caller)))

    def original(self, key: str, *, caller: Caller | None = None) -> Original:
        """Return the file that a document was read from.

        Raises:
            NotFoundError: there is no such document, its file is gone, or is not the one that was read.
        """
        with self._index() as index:
            _, document, _ = self._found(index, key, caller)
        path = key_path(document.path)
        try:
            status = path.stat()
            same = (status.st_size, status.st_mtime_ns) == (document.size, document.mtime_ns)
            same = same or hash_file(path).digest == document.content_hash
        except OSError as error:
            message = (
                f"the file of {document.name} is not on this machine any more: {error.strerror or error}"
            )
            raise NotFoundError(message) from error
        if not same:
            raise NotFoundError(f"the file of {document.name} has changed since it was read: ingest it again")
        return Original(Path(document.name).name, document.format, path, status.st_size)

    def page_image(
        self,
        key: str,
        page: int,
        *,
        start: int | None = None,
        end: int | None = None,
        width: int = WIDTH,
        caller: Caller | None = None,
    ) -> PageImage:
        """Draw a page of a PDF, with a span of the document marked where it stands on that page.

        Args:
            key: of the document.
            page: from 1.
            start: of the span, a character offset into the document's text.
            end: of the span; both or neither.
            width: of the image in pixels, 50 to 3,000.
            caller: see `get`.

        Raises:
            NotFoundError: there is no such document or page, or it is not a PDF.
            UsageError: an argument is out of range.
            TekioError: the page cannot be drawn.
        """
        if not LEAST_WIDTH <= width <= MOST_WIDTH:
            raise UsageError(f"width must be between {LEAST_WIDTH} and {MOST_WIDTH:,}, not {width}")
        if (start is None) != (end is None) or (
            start is not None and end is not None and not 0 <= start <= end
        ):
            raise UsageError("a span has a start and an end, and ends behind its start")
        original = self.original(key, caller=caller)
        with self._index() as index:
            _, document, _ = self._found(index, key, caller)
        if document.format != "pdf":
            raise NotFoundError(f"{document.name} is no PDF and has no images of pages: see its passages")
        if not 1 <= page <= max(1, len(document.page_starts)):
            raise NotFoundError(f"{document.name} has {len(document.page_starts)} pages, and no page {page}")
        quote, before = _on_page(document, page, start, end)
        request = PageRequest(str(original.path), page, width, quote, before, self._image_memory)
        return self._images.image(document.content_hash, request)

    def is_upload(self, document: DocumentSummary) -> bool:
        """Say whether a document was uploaded, so that its file goes with it."""
        return self._uploads.holds(key_path(document.path))

    # -- changing -----------------------------------------------------------------------------------------

    def upload(
        self,
        files: Sequence[Upload],
        *,
        caller: Caller | None = None,
        access: Access | None = None,
        tags: Tags | None = None,
        ocr: bool | None = None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> UploadReport:
        """Take in files, each with an outcome of its own; what cannot be read is not kept.

        A file with the name of an earlier upload of the same owner takes its place once it was read.

        Args:
            files: names as they were given, and contents.
            caller: owns the documents, and alone reads them unless `access` says otherwise.
            access: who may read them; its owner has to be the caller.
            tags: key words for all of them.
            ocr: read pages without text by text recognition; None takes the setting.
            on_progress: is told after each file that is read.

        Raises:
            DeniedError: the caller is nobody in particular.
            UsageError: there are no files.
            IndexBusyError: another process is writing to the index.
            TekioError: the folder of the uploads cannot be written.
        """
        if caller is not None and not caller.user:
            raise DeniedError("who uploads documents must be named")
        if not files:
            raise UsageError("there is no file: send one or several")
        if access is None and caller is not None:
            access = access_of(caller.user, [])
        results: list[Uploaded | None] = [None] * len(files)
        with self._changing, ExitStack() as receiving:
            coming: dict[int, Coming] = {}
            for place, file in enumerate(files):
                seen = {each.name for each in coming.values()}
                try:
                    received = receiving.enter_context(self._uploads.receiving(file.name, file.data))
                    coming[place] = _checked(received, seen)
                except (ReadError, TooLargeError) as error:
                    outcome = error.outcome if isinstance(error, ReadError) else Outcome.FAILED
                    name = clean_name(file.name)
                    results[place] = Uploaded(name, None, FileReport(name, outcome, message=str(error)))
            taken = self._taken(coming, access.owner if access else "", access, tags, ocr, on_progress)
        for place, uploaded in taken.items():
            results[place] = uploaded
        return UploadReport([result for result in results if result is not None])

    def delete(self, key: str, *, caller: Caller | None = None) -> Deleted:
        """Delete a document: passages, vectors and words, what was answered from it, and its file if it was uploaded.

        A file that was not uploaded belongs to a folder that somebody else keeps; it stays, and the next ingest of
        that folder reads it again.

        Raises:
            NotFoundError: see `get`.
            DeniedError: the caller may read it, but it is somebody else's.
            IndexBusyError: another process is writing to the index.
            TekioError: something of it is left.
        """
        with self._changing, self._index() as index, index.writing():
            state, document, ingested_at = self._found(index, key, caller)
            if caller is not None and (not caller.user or caller.user != document.access.owner):
                raise DeniedError(f"{document.name} is not yours to delete")
            rows = [each.id for each in index.passages_of(_summary(index, state, document, ingested_at))]
            index.remove(document.path)
            left = _left(index, state, rows)
            if left:
                raise TekioError(
                    f"{document.name} was not deleted wholly, {', '.join(left)} are left: try again"
                )
        path = key_path(document.path)
        was_upload = self._uploads.delete(path)
        self._images.forget(document.content_hash)
        return Deleted(
            document=document.name,
            passages=len(rows),
            answers=self._forget_answers({state.id}),
            file="deleted" if was_upload else "kept",
        )

    def _taken(
        self,
        coming: dict[int, Coming],
        owner: str,
        access: Access | None,
        tags: Tags | None,
        ocr: bool | None,
        on_progress: Callable[[Progress], None] | None,
    ) -> dict[int, Uploaded]:
        """Read received files into the index, put them in the place of earlier ones, and clear up what was not read."""
        if not coming:
            return {}
        earlier = self._earlier(owner)
        paths: dict[Path, int] = {}
        for place, file in coming.items():
            same = next(
                (each for each in earlier.get(file.name, ()) if each.content_hash == file.digest), None
            )
            path = self._uploads.keep(file) if same is None else key_path(same.path)
            paths[path] = place
        kept: set[Path] = set()
        before = {key_path(each.path) for states in earlier.values() for each in states}
        try:
            report = self._ingest(
                list(paths),
                tags=tags,
                prune=False,
                ocr=ocr,
                access=access,
                names={path: coming[place].name for path, place in paths.items()},
                on_progress=on_progress,
            )
            told = {file.path: file for file in report.files}
            found = {path: told[display(path.as_posix())] for path in paths}
            kept = {path for path, file in found.items() if file.outcome in _READ}
        finally:
            for path in paths:
                if path not in kept and path not in before:
                    self._uploads.delete(path)
        results: dict[int, Uploaded] = {}
        with self._index() as index, index.writing():
            states = index.states() if len(kept) < len(paths) else {}
            for path, place in paths.items():
                name, is_new = coming[place].name, path not in before
                if path not in kept and is_new and path_key(path) in states:
                    index.remove(path_key(path))  # of a scan, say, the index keeps a row without text
                replaced = [each for each in earlier.get(name, ()) if key_path(each.path) != path]
                if path in kept and is_new:
                    for state in replaced:
                        index.remove(state.path)
                        self._uploads.delete(key_path(state.path))
                    self._forget_answers({state.id for state in replaced})
                key = document_key(path_key(path)) if path in kept or not is_new else None
                shown = replace(found[path], path=name)
                results[place] = Uploaded(
                    name, key, shown, replaced=path in kept and is_new and bool(replaced)
                )
        return results

    def _earlier(self, owner: str) -> dict[str, list[DocumentState]]:
        """Return the uploads of an owner by their names."""
        found: dict[str, list[DocumentState]] = {}
        try:
            with self._index() as index:
                states = index.states()
        except IndexMissingError:
            return {}
        for state in states.values():
            if state.access.owner == owner and self._uploads.holds(key_path(state.path)):
                found.setdefault(state.name, []).append(state)
        return found

    def _found(
        self, index: PassageIndex, key: str, caller: Caller | None
    ) -> tuple[DocumentState, SourceDocument, str]:
        version = (index.identity(), index.store.generation)
        if self._ids is None or self._ids[0] != version:
            self._ids = version, {document_key(state.path): state for state in index.states().values()}
        state = self._ids[1].get(key)
        if state is not None and index.readable(state.id, caller):
            try:
                return state, *index.whole(state.id)
            except KeyError:  # deleted in this moment
                pass
        raise NotFoundError("there is no such document; /v1/documents lists those that there are")


def _checked(coming: Coming, seen: set[str]) -> Coming:
    """Check a received file before it gets a place.

    Raises:
        ReadError: it is empty, nothing that is read, not safe to unpack, or comes twice.
    """
    if coming.name in seen:
        raise ReadError(Outcome.FAILED, "another file of this upload has the same name: send them one by one")
    check_kind(coming.path, coming.path.read_bytes())
    return coming


def _summary(
    index: PassageIndex, state: DocumentState, document: SourceDocument, ingested_at: str
) -> DocumentSummary:
    return DocumentSummary(
        id=state.id,
        document=document.name,
        path=document.path,
        title=document.title,
        format=document.format,
        language=document.language,
        pages=len(document.page_starts) or None,
        chunks=state.chunks,
        characters=len(document.text),
        outcome=document.outcome,
        ingested_at=ingested_at,
        created=document.created,
        modified=document.modified,
        tags=merged_tags(document.tags, document.given_tags),
        access=document.access,
    )


def _left(index: PassageIndex, state: DocumentState, rows: Sequence[int]) -> list[str]:
    """Name what is left of a document that was deleted."""
    left = {
        "the document": state.path in index.states(),
        "passages": bool(index.store.count(Where("document_id", "==", state.id)) or index.store.rows(rows)),
        "vectors": bool(index.store.vectors(rows)),
    }
    return [name for name, is_left in left.items() if is_left]


def _on_page(document: SourceDocument, page: int, start: int | None, end: int | None) -> tuple[str, float]:
    """Return what of a span stands on a page, and the share of the page's letters before it."""
    if start is None or end is None or not document.page_starts:
        return "", 0.0
    begins = document.page_starts[page - 1]
    ends = document.page_starts[page] if page < len(document.page_starts) else len(document.text)
    low, high = max(start, begins), min(end, ends)
    if low >= high:
        return "", 0.0
    before = letters_of(document.text[begins:low]) / max(1, letters_of(document.text[begins:ends]))
    return document.text[low:high], before
