"""The stages before writing, each in threads of its own, with bounded queues between them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from ingest.channels import Channel, Stop, StoppedError
from ingest.discover import FoundFile
from ingest.embed import CachedEmbedding
from ingest.plan import Planner, Step, ToRead
from ingest.pool import Reader
from ingest.prepare import Prepared
from ingest.worker import Reply, Request
from retrieval.embedding import Embedded

_BATCH = 256
"""Chunks that are worth an embedding; fewer are embedded when no more are waiting."""
_WAITING = 8
"""Documents that may wait between two stages."""


@dataclass(slots=True)
class Item:
    """One file on its way: what is to be done, what was read, the vectors of its chunks."""

    found: FoundFile
    step: Step
    reply: Reply | None = None
    vectors: Embedded | None = None


class End:
    """The last thing that a thread puts."""


@contextmanager
def running(
    files: Sequence[FoundFile],
    planner: Planner,
    readers: Sequence[Reader],
    embed: CachedEmbedding,
) -> Iterator[Iterator[Item | int]]:
    """Start the stages; give the files as they are ready to be written, in no certain order.

    Between them come numbers: so many chunks were embedded of documents that are not ready yet. Leaving
    the context ends the stages, also before they are done; what went wrong in one of them is raised by the
    iterator, as it was.
    """
    stop = Stop()
    read: Channel[Item | End] = Channel(_WAITING, stop)
    ready: Channel[Item | int | End] = Channel(_WAITING, stop)
    waiting = iter(files)
    taking = threading.Lock()

    def take() -> FoundFile | None:
        with taking:
            return next(waiting, None)

    def reading(reader: Reader) -> None:
        while (found := take()) is not None:
            item = Item(found, planner.step(found))
            if isinstance(item.step, ToRead):
                request = Request(found.path, found.key, found.name, item.step.file)
                item.reply = reader.read(request)
            read.put(item)
        read.put(End())

    def embedding() -> None:
        _embed_all(read, ready, len(readers), embed)

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except StoppedError:
            pass
        except BaseException as error:
            stop.set(error)

    jobs: list[Callable[[], None]] = [embedding]
    jobs += [lambda reader=reader: reading(reader) for reader in readers]  # type: ignore[misc]
    threads = [threading.Thread(target=guarded, args=(job,), daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    interrupted = False
    try:
        yield _until_end(ready, stop)
    except KeyboardInterrupt:
        interrupted = True
        raise
    finally:
        stop.set()
        for reader in readers:
            reader.close()
        # At Ctrl-C nobody waits for an embedding that is under way.
        for thread in () if interrupted else threads:
            thread.join()


def _until_end(ready: Channel[Item | int | End], stop: Stop) -> Iterator[Item | int]:
    while True:
        try:
            item = ready.get()
        except StoppedError:
            if stop.error is not None:
                raise stop.error from None
            return
        if isinstance(item, End):
            return
        yield item


def _embed_all(
    read: Channel[Item | End], ready: Channel[Item | int | End], readers: int, embed: CachedEmbedding
) -> None:
    """Collect documents until there are chunks enough or none is waiting, embed them, and hand them on."""
    batch: list[Item] = []
    while readers or batch:
        # With something to embed it is not worth waiting for more.
        item = read.poll() if batch or not readers else read.get()
        if isinstance(item, End):
            readers -= 1
        elif item is not None and not isinstance(item.reply, Prepared):
            ready.put(item)
        elif item is not None:
            batch.append(item)
        if batch and (item is None or sum(len(_texts(each)) for each in batch) >= _BATCH):
            _embed_batch(batch, ready, embed)
            batch = []
    ready.put(End())


def _embed_batch(batch: list[Item], ready: Channel[Item | int | End], embed: CachedEmbedding) -> None:
    texts = [text for item in batch for text in _texts(item)]
    vectors = embed(texts, ready.put)
    start = 0
    for item in batch:
        end = start + len(_texts(item))
        item.vectors = vectors.part(start, end)
        start = end
        ready.put(item)


def _texts(item: Item) -> list[str]:
    return item.reply.texts if isinstance(item.reply, Prepared) else []
