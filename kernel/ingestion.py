"""Settings to the plan of an ingest."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.blocks import ReadOptions
from ingest.discover import FoundFile
from ingest.pipeline import Plan, Stages
from ingest.plan import Planner
from ingest.pool import Limits
from ingest.prepare import Preparation
from ingest.ray_stages import ray_running
from ingest.stages import Item
from ingest.strategies import Chunking
from kernel.embedders import embedder_at_node
from kernel.settings import Settings
from retrieval.access import Access
from retrieval.errors import UsageError
from retrieval.late_vectors import TokenCodec
from retrieval.records import Tags
from retrieval.token_counter import TokenCounter

if TYPE_CHECKING:
    from retrieval.sentence_transformer import SentenceTransformerEmbedder

RESERVED_TOKENS = 12
"""Of the embedder's window, for its prefix and special tokens."""
_MIB = 2**20
_MOST_READERS = 8


def ingest_plan(
    settings: Settings,
    embedder: SentenceTransformerEmbedder,
    *,
    tags: Tags | None = None,
    prune: bool | None = None,
    passwords: Sequence[str] = (),
    ocr: bool | None = None,
    access: Access | None = None,
    names: Mapping[Path, str] | None = None,
) -> Plan:
    """Return what an ingest is to do by the settings; arguments that are None take theirs.

    With `names`, which uploads have, no file is taken for a document that lay elsewhere.

    Raises:
        UsageError: the chunks are longer than the embedder takes.
    """
    room = embedder.max_tokens - RESERVED_TOKENS
    if settings.chunk_tokens > room:
        raise UsageError(
            f"chunk_tokens is {settings.chunk_tokens}, the embedder {settings.embedder} takes {room} "
            "at most: lower it in tekio.toml or TEKIO_CHUNK_TOKENS"
        )
    preparation = Preparation(
        count_tokens=TokenCounter(embedder.folder / "tokenizer.json"),
        chunking=_chunking(settings),
        options=ReadOptions(
            passwords=tuple(passwords),
            ocr=settings.ocr if ocr is None else ocr,
            ocr_languages=settings.ocr_languages,
        ),
        largest_file=settings.max_file_mb * _MIB,
        longest_text=settings.max_characters,
    )
    return Plan(
        preparation,
        Limits(settings.reader_seconds, settings.reader_memory_mb * _MIB),
        readers=settings.readers or max(1, min(_MOST_READERS, (os.cpu_count() or 1) // 2)),
        tags=tags or {},
        prune=prune,
        access=access,
        names=names or {},
        moves=names is None,
    )


def _chunking(settings: Settings) -> Chunking:
    try:
        return Chunking(
            strategy=settings.chunk_strategy,
            max_tokens=settings.chunk_tokens,
            overlap_sentences=settings.chunk_overlap,
            window_sentences=settings.chunk_window,
            child_tokens=settings.chunk_child_tokens,
            parent_tokens=settings.chunk_parent_tokens,
        )
    except ValueError as error:
        raise UsageError(f"{error}: mend the chunk settings in tekio.toml") from error


def stages_of(
    engine: str, address: str | None, settings: Settings, plan: Plan, codec: TokenCodec | None
) -> Stages | None:
    """Return the stages of a cluster, or None for this machine."""
    if engine == "local":
        return None

    def start(files: Sequence[FoundFile], planner: Planner) -> AbstractContextManager[Iterator[Item | int]]:
        make_embedder = partial(embedder_at_node, settings)
        return ray_running(files, planner, plan.preparation, plan.limits, make_embedder, codec, address)

    return start


def check_engine(engine: str, address: str | None) -> None:
    """Check that there is such an engine, and that an address belongs to it.

    Raises:
        UsageError: it is not so.
    """
    if engine == "local" and address is not None:
        raise UsageError("--address belongs to --engine ray")
    if engine not in ("local", "ray"):
        raise UsageError(f"there is no engine '{engine}'; there are local and ray")
