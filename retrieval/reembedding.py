"""An index embedded anew by another model: a new generation, in one transaction.

Until it is committed, readers go on in the old generation, and a kill or an error leaves that one whole. Nothing of
it is held in memory: rows are written as their vectors are made. Every row gets a new id, since what is derived from
the database takes a row's vector for unchanging. What the legs of the search weigh is forgotten with the old vectors;
whoever opens the new generation to write learns it anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from retrieval.embedding import Embed, EmbedderSignature
from retrieval.late_vectors import TokenCodec
from retrieval.passage_rows import text_digest
from retrieval.passages import PassageIndex
from retrieval.stores.interface import Vector

_ROWS = 256
"""Rows whose vectors are made together: enough to sort by length, few enough to show progress."""

TextsOf = Callable[[Sequence[Mapping[str, Any]]], Sequence[str]]
"""Gives what is embedded of passages, by their data."""


def reembed(
    index: PassageIndex,
    signature: EmbedderSignature,
    *,
    texts_of: TextsOf,
    embed: Embed,
    codec: TokenCodec | None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Embed all passages anew; return how many. Close the index afterwards: it is of the old embedder.

    Args:
        index: opened with the signature that it has now.
        signature: of the new embedder.
        texts_of: gives what is embedded of passages.
        embed: makes their vectors, and with a codec the packed vectors of their tokens.
        codec: how those are packed from now on; None keeps none.
        on_progress: is told how many passages of how many are done.

    Raises:
        UsageError: the place of the index cannot do that.
        IndexBusyError: another process is writing to the index.
        TekioError: it cannot be written; it is as it was before.
    """
    store = index.store
    with index.writing_alone(), store.changing():
        store.redimension(signature.dimension)
        ids = store.sample(None, store.count())
        for start in range(0, len(ids), _ROWS):
            part = ids[start : start + _ROWS]
            texts = texts_of([hit.data for hit in store.rows(part, vectors=False).values()])
            made = embed(texts)
            store.revectorize(
                part,
                [
                    Vector(vector, text_digest(signature, text), late)
                    for text, vector, late in zip(texts, made.vectors, made.late, strict=True)
                ],
            )
            on_progress(start + len(part), len(ids))
        index.replace_embedder(signature, codec)
        index.forget_weights()
    return len(ids)
