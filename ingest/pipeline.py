"""Files to the index: read, cut, embed, one transaction a document. Nothing is done twice."""

from __future__ import annotations

import stat
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ingest.assemble import Assembled, assemble
from ingest.blocks import BlockKind, Outcome, ReadError, ReadResult
from ingest.chunking import chunk_document
from ingest.context import embedding_texts
from ingest.discover import Content, Found, FoundFile, discover, read_content
from ingest.language import text_language
from ingest.readers import read_file
from ingest.report import FileReport, IngestReport
from ingest.store import DocumentStore
from retrieval.embedding import Embedder
from retrieval.errors import UsageError
from retrieval.records import DocumentState, SourceDocument

# Kept as rows without text, so that they are listed and not read again while they stay as they are.
_REMEMBERED = (Outcome.ENCRYPTED, Outcome.NO_TEXT_LAYER)


@dataclass(frozen=True, slots=True)
class Progress:
    """Told after each file: how many of how many are done, and what became of this one."""

    done: int
    total: int
    file: FileReport


def ingest_paths(
    paths: Sequence[Path],
    *,
    store: DocumentStore,
    embedder: Embedder,
    max_tokens: int,
    on_progress: Callable[[Progress], None] | None = None,
) -> IngestReport:
    """Bring the index up to date with files and folders.

    A file whose size and time, or else whose content, is known costs no reading and no embedding; the
    embedder is asked for nothing but for new text. A file that cannot be read does not stop the others,
    and keeps what the index has of an earlier version. Documents whose files are gone from a folder that
    was given are removed. Running it again after an interruption goes on where it stopped.

    `max_tokens` caps what is embedded for a chunk, without special tokens and prefix.

    Raises:
        UsageError: a path does not exist, or a folder holds no files; before anything is changed.
        Exception: whatever the embedder or the store raise, as it is; the documents before stay written.
    """
    began = time.monotonic()
    found = discover(paths)
    states = store.states()
    gone = _gone(found, states)
    _check_not_empty(found)
    report = IngestReport()
    work = _Work(store, embedder, max_tokens)
    total = len(found.files) + len(gone)

    def note(file: FileReport, *, named: bool = False, known: bool = False) -> None:
        report.add(file, named=named, known=known)
        if on_progress is not None:
            on_progress(Progress(len(report.files), total, file))

    for each in found.files:
        state = states.get(str(each.path))
        note(work.file(each, state), named=each.named, known=state is not None and state.chunks > 0)
    for state, shown in gone:
        store.remove(state.path)
        note(FileReport(shown, Outcome.REMOVED, message="the file is gone; it was taken out of the index"))
    report.seconds = time.monotonic() - began
    return report


def check_paths(paths: Sequence[Path]) -> None:
    """Check that there is something to read, before an index is made for it.

    Raises:
        UsageError: a path does not exist, or a folder holds no files.
    """
    _check_not_empty(discover(paths))


def _check_not_empty(found: Found) -> None:
    for folder, shown in found.folders:
        # Also where the index knows files below it: an empty folder is more often a drive that is not mounted.
        if not any(file.path.is_relative_to(folder) for file in found.files):
            raise UsageError(
                f"there are no files to read in {shown}: check the path; the index was left as it is"
            )


def _gone(found: Found, states: dict[str, DocumentState]) -> list[tuple[DocumentState, str]]:
    """Return the documents below the folders given whose files are no more, and how to show them."""
    gone: dict[str, tuple[DocumentState, str]] = {}
    for folder, shown in found.folders:
        for path, state in states.items():
            if Path(path).is_relative_to(folder) and _is_gone(path):
                below = (Path(shown) / Path(path).relative_to(folder)).as_posix()
                gone.setdefault(path, (state, below))
    return [gone[path] for path in sorted(gone)]


def _is_gone(path: str) -> bool:
    """Tell whether a file does not exist; one that cannot be looked at is not gone."""
    try:
        Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


class _Work:
    """One ingest's store, embedder and cap, and what is done with a file."""

    def __init__(self, store: DocumentStore, embedder: Embedder, max_tokens: int) -> None:
        self._store = store
        self._embedder = embedder
        self._max_tokens = max_tokens

    def file(self, found: FoundFile, state: DocumentState | None) -> FileReport:
        try:
            status = found.path.stat()
            if not stat.S_ISREG(status.st_mode):
                return _kept(found, state, Outcome.FAILED, "cannot be opened: no regular file")
            if state is not None and (state.size, state.mtime_ns) == (status.st_size, status.st_mtime_ns):
                return _as_before(found, state)
            content = read_content(found.path)
            if state is not None and state.content_hash == content.digest:
                self._store.touch(state.id, size=content.size, mtime_ns=content.mtime_ns)
                return _as_before(found, state)
        except OSError as error:
            return _kept(found, state, Outcome.FAILED, f"cannot be opened: {error.strerror or error}")
        try:
            result = read_file(found.path, content.data)
            assembled = assemble(result.blocks, result.pages)
        except ReadError as error:
            self._remember(found, state, content, error)
            return _kept(found, state, error.outcome, str(error))
        except Exception as error:  # a reader's own fault must not cost the other files
            message = " ".join(str(error).split())[:200]
            return _kept(found, state, Outcome.FAILED, f"{type(error).__name__}: {message}")
        if not assembled.text.strip():
            return _kept(found, state, Outcome.EMPTY, "no text in the file")
        return self._write(found, _document(found, state, content, result, assembled), result, assembled)

    def _write(
        self, found: FoundFile, document: SourceDocument, result: ReadResult, assembled: Assembled
    ) -> FileReport:
        count, cap = self._embedder.count_tokens, self._max_tokens
        chunks = chunk_document(assembled, count, max_tokens=cap, title=document.title)
        texts = embedding_texts(chunks, document.title, count, cap)
        self._store.replace(document, chunks, self._embedder.embed_passages(texts))
        return FileReport(
            found.shown,
            Outcome(document.outcome),
            chunks=len(chunks),
            pages=result.pages,
            empty_pages=result.empty_pages,
            encoding=result.encoding,
            message=document.message,
        )

    def _remember(
        self, found: FoundFile, state: DocumentState | None, content: Content, error: ReadError
    ) -> None:
        """Keep a row for a file that holds something we cannot get at, if it had no text in the index."""
        if error.outcome not in _REMEMBERED or (state is not None and state.chunks > 0):
            return
        document = SourceDocument(
            path=str(found.path),
            name=state.name if state is not None else found.name,
            title=found.path.stem,
            format=found.path.suffix.lower().lstrip("."),
            text="",
            content_hash=content.digest,
            size=content.size,
            mtime_ns=content.mtime_ns,
            outcome=str(error.outcome),
            message=str(error),
        )
        self._store.replace(document, [], np.zeros((0, self._embedder.signature.dimension), np.float32))


def _document(
    found: FoundFile, state: DocumentState | None, content: Content, result: ReadResult, assembled: Assembled
) -> SourceDocument:
    return SourceDocument(
        path=str(found.path),
        name=state.name if state is not None else found.name,
        title=_title(found, result),
        format=result.format,
        text=assembled.text,
        content_hash=content.digest,
        size=content.size,
        mtime_ns=content.mtime_ns,
        encoding=result.encoding,
        language=result.language or text_language(assembled.text),
        page_starts=assembled.page_starts,
        empty_pages=result.empty_pages,
        outcome=str(Outcome.PARTIAL if result.warnings or result.empty_pages else Outcome.OK),
        message=_summary(result.warnings),
    )


def _as_before(found: FoundFile, state: DocumentState) -> FileReport:
    """Report a file that has not changed: a scan without text is no more readable than the last time."""
    outcome = Outcome(state.outcome)
    known = outcome in (Outcome.OK, Outcome.PARTIAL)
    return FileReport(
        found.shown,
        Outcome.UNCHANGED if known else outcome,
        chunks=state.chunks,
        pages=state.pages,
        empty_pages=state.empty_pages,
        encoding=state.encoding,
        message=state.message,
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


def _title(found: FoundFile, result: ReadResult) -> str:
    if result.title:
        return result.title
    headings: Iterable[str] = (
        block.text for block in result.blocks if block.kind is BlockKind.HEADING and block.level == 1
    )
    return next((" ".join(text.split()) for text in headings), found.path.stem)


def _summary(warnings: Sequence[str]) -> str:
    shown = "; ".join(warnings[:5])
    return f"{shown}; and {len(warnings) - 5} more" if len(warnings) > 5 else shown
