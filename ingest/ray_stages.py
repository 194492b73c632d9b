"""The stages before writing on a Ray cluster: reading and embedding as Ray Data stages, writing at the caller's.

Tekio has to be installed on every node, and the files to be there under the same paths. What Ray does is to
spread the work, to hold it back when the next stage is slower, and to do again what a lost worker had begun.
"""

from __future__ import annotations

import logging
import os
import pickle
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ingest.discover import FoundFile
from ingest.embed import CachedEmbedding, passage_embedding
from ingest.plan import Planner, ToRead
from ingest.pool import Limits, Reader
from ingest.prepare import Preparation, Prepared
from ingest.stages import Item
from ingest.worker import Request
from retrieval.embedding import Embedder
from retrieval.errors import TekioError, UsageError
from retrieval.late_vectors import TokenCodec

_BATCH = 16
"""Documents that are embedded together."""
_CONNECT_SECONDS = 5.0
_OBJECT_STORE = 512 * 2**20
"""Bytes that a Ray started here may keep between stages; a cluster has its own setting."""

Row = dict[str, Any]
Batch = dict[str, Any]


class ReadStage:
    """Reads one file after another, each in a process with limits, as on one machine."""

    def __init__(self, preparation: Preparation, limits: Limits) -> None:
        self._reader = Reader(preparation, limits)

    def __call__(self, row: Row) -> Row:
        """Return the file's place with its pickled reply."""
        reply = self._reader.read(pickle.loads(row["request"]))  # noqa: S301 - made by the driver
        return {"place": row["place"], "reply": pickle.dumps(reply)}


class EmbedStage:
    """Embeds the texts of several documents together."""

    def __init__(self, make_embedder: Callable[[], Embedder], codec: TokenCodec | None) -> None:
        embedder = make_embedder()
        self._embed = CachedEmbedding(
            passage_embedding(embedder, codec), lambda texts: {}, embedder.signature.dimension
        )

    def __call__(self, batch: Batch) -> Batch:
        """Return the batch with the pickled vectors of each document."""
        replies = [pickle.loads(data) for data in batch["reply"]]  # noqa: S301 - made by the stage before
        texts = [reply.texts if isinstance(reply, Prepared) else [] for reply in replies]
        vectors = self._embed([text for part in texts for text in part])
        ends = np.cumsum([len(part) for part in texts])
        parts = [vectors.part(end - len(part), end) for part, end in zip(texts, ends, strict=True)]
        return {
            "place": batch["place"],
            "reply": batch["reply"],
            "vectors": np.array([pickle.dumps(part) for part in parts], dtype=object),
        }


@contextmanager
def ray_running(
    files: Sequence[FoundFile],
    planner: Planner,
    preparation: Preparation,
    limits: Limits,
    make_embedder: Callable[[], Embedder],
    codec: TokenCodec | None,
    address: str | None,
) -> Iterator[Iterator[Item | int]]:
    """Give the files as they are ready to be written, in no certain order; as `stages.running` does.

    Args:
        files: what was found.
        planner: decides here, before anything is sent, which of them are read.
        preparation: how they are read and cut.
        limits: what one file may cost.
        make_embedder: makes the embedder at a node; is pickled.
        codec: packs the vectors of the tokens; None keeps none.
        address: of the cluster; None starts one on this machine for the time of the ingest.

    Raises:
        UsageError: Ray is not installed.
        TekioError: the cluster cannot be reached.
    """
    items = [Item(found, planner.step(found)) for found in files]
    requests = [
        {
            "place": place,
            "request": pickle.dumps(
                Request(item.found.path, item.found.key, item.found.name, item.step.file)
            ),
        }
        for place, item in enumerate(items)
        if isinstance(item.step, ToRead)
    ]
    if not requests:
        yield iter(items)
        return
    with _ray(address) as ray:
        yield _results(ray, items, requests, preparation, limits, make_embedder, codec)


def _results(
    ray: Any,
    items: list[Item],
    requests: list[Row],
    preparation: Preparation,
    limits: Limits,
    make_embedder: Callable[[], Embedder],
    codec: TokenCodec | None,
) -> Iterator[Item]:
    yield from (item for item in items if not isinstance(item.step, ToRead))
    processors = int(ray.cluster_resources().get("CPU", 1))
    most = max(1, processors // 2)
    dataset = (
        ray.data.from_items(requests, override_num_blocks=min(len(requests), 4 * most))
        .map(
            ReadStage,
            fn_constructor_args=(preparation, limits),
            concurrency=(1, most),
            num_cpus=0.5,
        )
        .map_batches(
            EmbedStage,
            fn_constructor_args=(make_embedder, codec),
            batch_size=_BATCH,
            concurrency=(1, most),
            num_cpus=0.5,
        )
    )
    for row in dataset.iter_rows():
        item = items[int(row["place"])]
        item.reply = pickle.loads(row["reply"])  # noqa: S301 - made by our own stages
        item.vectors = pickle.loads(row["vectors"])  # noqa: S301
        yield item


def _check_reachable(address: str) -> None:
    """Check within seconds that somebody listens at an address; Ray itself tries for minutes.

    Raises:
        TekioError: nobody does.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():  # `auto` and the like, which Ray looks up
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise TekioError(f"the Ray cluster {address} cannot be reached: {reason}") from error


@contextmanager
def _ray(address: str | None) -> Iterator[Any]:
    """Connect to a cluster, or start one here; leave things as they were."""
    os.environ.setdefault("RAY_DATA_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.data
    except ImportError:
        raise UsageError("ingest --engine ray needs Ray: pip install 'tekio[ray]'") from None
    ours = not ray.is_initialized()
    if ours and address:
        _check_reachable(address)
    if ours:
        local: dict[str, Any] = (
            {} if address else {"object_store_memory": _OBJECT_STORE, "include_dashboard": False}
        )
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **local)
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            first = str(error).strip().split("\n")[0]
            raise TekioError(
                f"the Ray cluster {address or 'of this machine'} cannot be reached: {first}"
            ) from error
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    try:
        yield ray
    finally:
        if ours:
            ray.shutdown()
