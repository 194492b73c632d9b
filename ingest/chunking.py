"""A document to chunks that fit the embedder.

Size is counted in the embedder's own tokens, and the context that is embedded with a chunk counts too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from ingest.assemble import Assembled
from ingest.chunkers.fixed import plan_fixed
from ingest.chunkers.parent_child import plan_parents
from ingest.chunkers.plans import Job, Plan
from ingest.chunkers.sentence_window import plan_sentence_windows
from ingest.chunkers.structure import plan_structure
from ingest.context import CountTokens
from ingest.strategies import Chunking
from retrieval.markup import without_markup
from retrieval.records import Chunk

_PLANNERS: dict[str, Callable[[Job], list[Plan]]] = {
    "structure": plan_structure,
    "fixed": plan_fixed,
    "sentence_window": plan_sentence_windows,
    "parent_child": plan_parents,
}


def chunk_document(
    assembled: Assembled,
    count_tokens: CountTokens,
    *,
    title: str = "",
    chunking: Chunking | None = None,
    max_tokens: int | None = None,
    overlap_sentences: int | None = None,
) -> list[Chunk]:
    """Cut a document into chunks, in order, the same ones each time.

    `chunking` says how; `max_tokens` and `overlap_sentences` take the place of its own where they are given,
    as where an embedder takes less than the settings ask for. No chunk is longer than `max_tokens` as it is
    embedded (`embedding_texts` with the same `title` and `max_tokens`), counted by `count_tokens`, without
    special tokens and prefix. `Chunk.text == assembled.text[start:end]`, and all chunks together hold all of
    the text but white space. `Chunk.headings` are those above the chunk's first line, its own included,
    shortened to a third of the cap; in a later piece of a table the last one is the header of the table
    (but for `fixed`). Tags of HTML, which are not embedded, count nothing. `Chunk.shown` is set where a larger
    span is to be shown.

    Raises:
        ValueError: a size is out of range, as `Chunking` says.
    """
    chosen = chunking or Chunking()
    if max_tokens is not None:
        chosen = replace(chosen, max_tokens=max_tokens)
    if overlap_sentences is not None:
        chosen = replace(chosen, overlap_sentences=overlap_sentences)
    if not assembled.text.strip():
        return []

    def count(texts: Sequence[str]) -> list[int]:
        return count_tokens([without_markup(text) for text in texts])

    job = Job(assembled, count, chosen, title)
    return job.chunks(_PLANNERS[chosen.strategy](job))
