"""Files to the index in three stages that overlap: processes read, one thread embeds, the caller's writes.

The queues between them are bounded, so that memory does not grow with the number of files. A document is one
transaction, so that what was done stays done whenever the ingest ends.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from ingest.blocks import Outcome
from ingest.discover import FoundFile, discover
from ingest.embed import CachedEmbedding, passage_embedding
from ingest.gone import check_not_empty, find_gone
from ingest.plan import Planner
from ingest.pool import Limits, Reader
from ingest.prepare import Preparation
from ingest.report import FileReport, IngestReport
from ingest.stages import Item, running
from ingest.store import DocumentStore
from ingest.writing import Writer
from retrieval.access import Access
from retrieval.embedding import Embed, Embedder
from retrieval.late_vectors import TokenCodec
from retrieval.records import Tags


@dataclass(frozen=True, slots=True)
class Progress:
    """Told after each file: how many of how many are done, and what became of this one.

    Between files `file` is None, and so many `chunks` were embedded of documents that are not done yet.
    """

    done: int
    total: int
    file: FileReport | None
    chunks: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """What an ingest is asked to do, beside the paths.

    `tags` are given to every document of it. `prune`: None takes out documents whose files are gone from a
    folder that still holds some, True also from an emptied folder, False never. `readers` is the number of
    reading processes. `access` says who may read every document of it; None leaves that as it is. `names` are
    names for people of files that are named themselves. `moves`: a file with the content of a document whose own
    file is gone is taken for that document.
    """

    preparation: Preparation
    limits: Limits = field(default_factory=Limits)
    readers: int = 1
    tags: Tags = field(default_factory=dict)
    prune: bool | None = None
    access: Access | None = None
    names: Mapping[Path, str] = field(default_factory=dict)
    moves: bool = True

    @property
    def failure_recipe(self) -> str:
        """Name what a file's failing depends on, beside its content."""
        allowed = f"{self.preparation.largest_file},{self.preparation.longest_text}"
        return f"{self.preparation.recipe};{allowed},{self.limits.seconds:g},{self.limits.memory}"


Stages = Callable[[Sequence[FoundFile], Planner], AbstractContextManager[Iterator[Item | int]]]
"""Starts what reads and embeds files, and gives them as they are ready to be written, see `stages.running`."""


def ingest_paths(
    paths: Sequence[Path],
    *,
    store: DocumentStore,
    embedder: Embedder,
    plan: Plan,
    codec: TokenCodec | None = None,
    stages: Stages | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> IngestReport:
    """Bring the index up to date with files and folders.

    A file whose size and time, or else whose content, is known costs no reading and no embedding; nor does one
    that was moved; a text that was embedded before is not embedded again. A file that cannot be read does not
    stop the others, and keeps what the index has of an earlier version. Running it again after an
    interruption goes on where it stopped. `codec` packs the vectors of the tokens, which are kept then; `stages`
    read and embed somewhere else than on this machine.

    Raises:
        UsageError: a path does not exist, or a folder holds no files; before anything is changed.
        Exception: whatever the embedder or the store raise, as it is; the documents before stay written.
    """
    began = time.monotonic()
    found = discover(paths, plan.names)
    if plan.prune is not True:
        check_not_empty(found)
    states = store.states()
    planner = Planner(
        states, plan.preparation.options, plan.preparation.recipe, plan.failure_recipe, moves=plan.moves
    )
    writer = Writer(store, plan.tags, plan.failure_recipe, embedder.signature.dimension, plan.access)
    report = IngestReport(folders=[folder for folder, _ in found.folders])

    def tell(file: FileReport | None, chunks: int = 0) -> None:
        if on_progress is not None:
            total = max(len(found.files), len(report.files))
            on_progress(Progress(len(report.files), total, file, chunks))

    embed = passage_embedding(embedder, codec)
    stages = stages or _on_this_machine(store, embed, embedder.signature.dimension, plan)
    with stages(found.files, planner) as items:
        for item in items:
            if isinstance(item, int):
                tell(None, item)
                continue
            state = states.get(item.found.key)
            file = writer.file(item.found, item.step, item.reply, item.vectors)
            report.add(file, named=item.found.named, known=state is not None and state.chunks > 0)
            report.looked_at[item.found.key] = item.found.name, file
            tell(file)
    if plan.prune is not False:
        for gone in find_gone(found, states, planner.moved):
            store.remove(gone.path)
            file = FileReport(gone.shown, Outcome.REMOVED, message=gone.reason)
            report.add(file, named=False, known=True)
            tell(file)
    order = {each.shown: place for place, each in enumerate(found.files)}
    report.files.sort(key=lambda file: order.get(file.path, len(order)))
    report.seconds = time.monotonic() - began
    return report


def _on_this_machine(store: DocumentStore, embed: Embed, dimension: int, plan: Plan) -> Stages:
    def start(files: Sequence[FoundFile], planner: Planner) -> AbstractContextManager[Iterator[Item | int]]:
        readers = [Reader(plan.preparation, plan.limits) for _ in range(max(1, plan.readers))]
        return running(files, planner, readers, CachedEmbedding(embed, store.known_vectors, dimension))

    return start


def check_paths(paths: Sequence[Path]) -> None:
    """Check that there is something to read, before an index is made for it.

    Raises:
        UsageError: a path does not exist, or a folder holds no files.
    """
    check_not_empty(discover(paths))
