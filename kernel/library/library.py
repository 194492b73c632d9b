"""The documents of an index one by one: taken in as uploads, looked at, deleted. The caller's rights hold on each.

A document is named by its `document_key`. One that the caller may not read is as good as not there; who may change
one is its owner, and whoever owns the machine.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from ingest.discover import hash_file
from ingest.names import key_path
from ingest.pipeline import Progress
from kernel.library.finding import Finder
from kernel.library.highlight import letters_of
from kernel.library.page_images import PageImages
from kernel.library.page_render import PageImage, PageRequest
from kernel.library.results import Deleted, Original, Upload, UploadReport
from kernel.library.taking_in import Ingest, TakingIn
from kernel.library.uploads import UploadFolder
from retrieval.access import Access, Caller, may_change
from retrieval.errors import DeniedError, IndexMissingError, NotFoundError, TekioError, UsageError
from retrieval.passages import PassageIndex
from retrieval.records import (
    DocumentSummary,
    Passage,
    SourceDocument,
    Tags,
)

WIDTH = 1200
"""Pixels of a page's image, unless told otherwise."""
LEAST_WIDTH, MOST_WIDTH = 50, 3000


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
        self._forget_answers = forget_answers
        self._image_memory = image_memory
        self._changing = threading.Lock()
        self._finder = Finder()
        self._taking_in = TakingIn(
            uploads, index=index, ingest=ingest, forget_answers=forget_answers, changing=self._changing
        )

    # -- looking ------------------------------------------------------------------------------------------

    def get(self, key: str, *, caller: Caller | None = None) -> DocumentSummary:
        """Return a document.

        Raises:
            NotFoundError: there is none of this id that the caller may read.
            IndexMissingError: there is no index yet.
        """
        with self._index() as index:
            return self._finder.find(index, key, caller).summary()

    def text(self, key: str, *, caller: Caller | None = None) -> str:
        """Return the text of a document as it was read, into which spans are offsets; see `get` for errors."""
        with self._index() as index:
            return self._finder.find(index, key, caller).document.text

    def passages(self, key: str, *, caller: Caller | None = None) -> list[Passage]:
        """Return all passages of a document in their order; see `get` for errors."""
        with self._index() as index:
            return index.passages_of(self._finder.find(index, key, caller).summary())

    def original(self, key: str, *, caller: Caller | None = None) -> Original:
        """Return the file that a document was read from.

        Raises:
            NotFoundError: there is no such document, its file is gone, or is not the one that was read.
        """
        with self._index() as index:
            document = self._finder.find(index, key, caller).document
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
        return Original(document.name, Path(document.name).name, document.format, path, status.st_size)

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
            document = self._finder.find(index, key, caller).document
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

    def orphans(self) -> list[Path]:
        """Return the uploaded files that no document has, see `UploadFolder.orphans`."""
        try:
            with self._index() as index:
                known = {key_path(state.path).name for state in index.states().values()}
        except IndexMissingError:
            known = set()
        return self._uploads.orphans(known)

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
        """Take in files, see `TakingIn.upload`."""
        return self._taking_in.upload(
            files, caller=caller, access=access, tags=tags, ocr=ocr, on_progress=on_progress
        )

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
            held = self._finder.find(index, key, caller)
            document = held.document
            if not may_change(caller, document.access):
                raise DeniedError(f"{document.name} is not yours to delete")
            rows = [each.id for each in index.passages_of(held.summary())]
            index.remove(document.path)
            left = held.left(index, rows)
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
            answers=self._forget_answers({held.state.id}),
            file="deleted" if was_upload else "kept",
        )


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
