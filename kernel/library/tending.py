"""Documents tended one by one: read anew from their files, given other key words. Only their owners may."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from ingest.names import display, key_path
from ingest.report import FileReport
from kernel.library.library import Library
from kernel.library.taking_in import Ingest
from retrieval.access import Caller, may_change, tags_within
from retrieval.errors import DeniedError, NotFoundError
from retrieval.passages import PassageIndex
from retrieval.records import DocumentSummary, Tags


def reread(
    library: Library, ingest: Ingest, key: str, *, ocr: bool | None = None, caller: Caller | None = None
) -> FileReport:
    """Read a document again from its file, under the name that it has; say what became of it.

    Args:
        library: of the document.
        ingest: reads files into the index.
        key: of the document.
        ocr: read pages without text by text recognition; None takes the setting.
        caller: whose it is; None is who owns the machine.

    Raises:
        NotFoundError: there is no such document that the caller may read, or its file is gone.
        DeniedError: it is somebody else's.
        IndexBusyError: another process is writing to the index.
    """
    document = owned(library, key, caller=caller)
    path = key_path(document.path)
    if not path.is_file():
        raise NotFoundError(f"the file of {document.document} is not on this machine any more")
    report = ingest([path], prune=False, ocr=ocr, names={path: document.document})
    return next(file for file in report.files if file.path == display(path.as_posix()))


def retag(
    library: Library,
    index: Callable[[], AbstractContextManager[PassageIndex]],
    key: str,
    tags: Tags,
    *,
    caller: Caller | None = None,
) -> None:
    """Give a document other key words in place of those that somebody gave it; its own stay.

    Raises:
        NotFoundError: there is no such document that the caller may read.
        DeniedError: it is somebody else's.
        IndexBusyError: another process is writing to the index.
    """
    document = owned(library, key, caller=caller)
    tags = tags_within(caller, tags)
    with index() as opened, opened.writing():
        opened.tag(document.id, tags)


def owned(library: Library, key: str, *, caller: Caller | None = None) -> DocumentSummary:
    """Return a document that the caller may change.

    Raises:
        NotFoundError: there is no such document that the caller may read.
        DeniedError: it is somebody else's.
    """
    document = library.get(key, caller=caller)
    if not may_change(caller, document.access):
        raise DeniedError(f"{document.document} is not yours to change")
    return document
