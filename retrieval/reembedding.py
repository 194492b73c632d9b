"""An index embedded anew by another model: a new generation, in one transaction.

Until it is committed, readers go on in the old generation, and a kill or an error leaves that one whole. Nothing of
it is held in memory: rows are written as their vectors are made. Every row gets a new id, since what is derived from
the database takes a row's vector for unchanging.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from retrieval.collection_store import CollectionStore, Vector
from retrieval.embedding import Embed, EmbedderSignature
from retrieval.late_vectors import TokenCodec
from retrieval.leg_weights import EmbedQuery, LegWeights
from retrieval.passages import COLLECTION, FIELDS, PassageIndex, text_digest
from retrieval.ranking import Ranker

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
    embed_query: EmbedQuery,
    say: Callable[[str], None] = lambda text: None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Embed all passages anew; return how many. Close the index afterwards: it is of the old embedder.

    Args:
        index: opened with the signature that it has now.
        signature: of the new embedder.
        texts_of: gives what is embedded of passages.
        embed: makes their vectors, and with a codec the packed vectors of their tokens.
        codec: how those are packed from now on; None keeps none.
        embed_query: the new embedder's, by which the legs of the search are weighed anew.
        say: is told what takes a moment.
        on_progress: is told how many passages of how many are done.

    Raises:
        IndexBusyError: another process is writing to the index.
        TekioError: it cannot be written; it is as it was before.
    """
    store = index.store
    with index.writing_alone(), store.changing() as connection:
        ids = store.ids()
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
        connection.execute(
            "UPDATE meta SET value = ? WHERE key = ?", (str(signature.dimension), f"dimension:{COLLECTION}")
        )
        index.replace_embedder(signature, codec)
        _weigh(index, signature, codec, embed_query, say)
    return len(ids)


def _weigh(
    index: PassageIndex,
    signature: EmbedderSignature,
    codec: TokenCodec | None,
    embed_query: EmbedQuery,
    say: Callable[[str], None],
) -> None:
    """Learn the weights of the legs on rows that are not committed yet.

    What is derived from such rows is made in a folder of its own and thrown away: were they given up, their ids
    would come again with other vectors.
    """
    with tempfile.TemporaryDirectory(prefix="tekio-") as derived:
        store = CollectionStore(
            index.database, COLLECTION, dimension=signature.dimension, fields=FIELDS, derived=Path(derived)
        )
        weights = LegWeights(store)
        weights.forget()
        weights.learn(Ranker(store, codec), embed_query, say=say)
