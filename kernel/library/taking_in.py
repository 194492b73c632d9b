"""Files that come in as uploads: received, checked, read into the index, or told why not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from ingest.blocks import Outcome, ReadError
from ingest.names import display, key_path, path_key
from ingest.pipeline import Progress
from ingest.readers import check_kind
from ingest.report import FileReport, IngestReport
from kernel.library.results import Upload, Uploaded, UploadReport
from kernel.library.uploads import Coming, TooLargeError, UploadFolder, clean_name
from retrieval.access import Access, Bound, Caller, tags_within
from retrieval.access import access as access_of
from retrieval.errors import DeniedError, IndexMissingError, UsageError
from retrieval.passages import PassageIndex
from retrieval.records import DocumentState, Tags, document_key

_READ = (Outcome.OK, Outcome.PARTIAL, Outcome.UNCHANGED)


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


class TakingIn:
    """Takes uploads into an index."""

    def __init__(
        self,
        uploads: UploadFolder,
        *,
        index: Callable[[], AbstractContextManager[PassageIndex]],
        ingest: Ingest,
        forget_answers: Callable[[set[int]], int],
        changing: threading.Lock,
    ) -> None:
        """Put it together, see `Library`; `changing` is held while documents come and go."""
        self._uploads = uploads
        self._index = index
        self._ingest = ingest
        self._forget_answers = forget_answers
        self._changing = changing

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
            DeniedError: the caller is nobody in particular, or bound to other tags.
            UsageError: there are no files, or no tag says which of several the caller is bound to.
            IndexBusyError: another process is writing to the index.
            TekioError: the folder of the uploads cannot be written.
        """
        if caller is not None and not caller.user and not caller.owns:
            raise DeniedError("who uploads documents must be named")
        if not files:
            raise UsageError("there is no file: send one or several")
        if access is None and caller is not None and caller.user:
            access = access_of(caller.user, [])
        tags = tags_within(caller, tags or {}) or None
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
            taken = self._taken(coming, caller, access, tags, ocr, on_progress)
        for place, uploaded in taken.items():
            results[place] = uploaded
        return UploadReport([result for result in results if result is not None])

    def _taken(
        self,
        coming: dict[int, Coming],
        caller: Caller | None,
        access: Access | None,
        tags: Tags | None,
        ocr: bool | None,
        on_progress: Callable[[Progress], None] | None,
    ) -> dict[int, Uploaded]:
        """Read received files into the index, put them in the place of earlier ones, and clear up what was not read."""
        if not coming:
            return {}
        earlier = self._earlier(access.owner if access else "", caller)
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
            bound = None if caller is None else caller.bound
            states = index.states() if bound or len(kept) < len(paths) else {}
            for path in kept - before if bound else ():
                if said := _beyond(bound, index.whole(states[path_key(path)].id)[0].tags):
                    kept.discard(path)
                    self._uploads.delete(path)
                    message = f"the document says of itself {said}, which is not what this key is for: take that out"
                    found[path] = replace(found[path], outcome=Outcome.FAILED, message=message)
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

    def _earlier(self, owner: str, caller: Caller | None) -> dict[str, list[DocumentState]]:
        """Return the uploads of an owner by their names, of those that the caller finds."""
        found: dict[str, list[DocumentState]] = {}
        try:
            with self._index() as index:
                for state in index.states().values():
                    is_own = state.access.owner == owner and self._uploads.holds(key_path(state.path))
                    if is_own and index.readable(state.id, caller):
                        found.setdefault(state.name, []).append(state)
        except IndexMissingError:
            return {}
        return found


def _beyond(bound: Bound | None, own: Tags) -> str:
    """Return a tag that a document gives itself, beyond what a key is bound to; empty for none."""
    outside = (
        f"{key}={value[:100]}"
        for key, values in (() if bound is None else bound.tags)
        for value in own.get(key, ())
        if value not in values
    )
    return next(outside, "")


def _checked(coming: Coming, seen: set[str]) -> Coming:
    """Check a received file before it gets a place.

    Raises:
        ReadError: it is empty, nothing that is read, not safe to unpack, or comes twice.
    """
    if coming.name in seen:
        raise ReadError(Outcome.FAILED, "another file of this upload has the same name: send them one by one")
    check_kind(coming.path, coming.path.read_bytes())
    return coming
