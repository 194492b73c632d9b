"""The search of an engine: queries embedded, passages found, and both kept for whoever asks the same again."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from retrieval.access import Caller, reads
from retrieval.filters import Filter
from retrieval.passages import PassageIndex
from retrieval.ranking import Mode, Query, Rerank
from retrieval.records import Passage
from retrieval.remembered import Remembered
from retrieval.selection import Selection
from retrieval.sentence_transformer import SentenceTransformerEmbedder
from retrieval.stages import step, under_way

Embedded = tuple[NDArray[np.float32], NDArray[np.float32]]
_EMBEDDED_BYTES = 16 << 20
"""Memory for the vectors of questions and of their tokens: some hundreds."""


def _size(embedded: Embedded) -> float:
    return float(sum(each.nbytes for each in embedded))


class Searching:
    """Searches one index by one embedder.

    Args:
        index: that is searched.
        embedder: embeds queries.
        reranker: ranks the best again; None leaves them.
        usual: how passages are chosen from a ranking where a search does not say.
        kept: searches whose passages are kept.
    """

    def __init__(
        self,
        index: PassageIndex,
        embedder: SentenceTransformerEmbedder,
        reranker: Rerank | None,
        *,
        usual: Selection,
        kept: int,
    ) -> None:
        self._index = index
        self._embedder = embedder
        self._reranker = reranker
        self._usual = usual
        self._found: Remembered[Hashable, tuple[Passage, ...]] = Remembered(kept)
        self._embedded: Remembered[str, Embedded] = Remembered(_EMBEDDED_BYTES, _size)

    async def search(
        self,
        query: str,
        top: int,
        where: Filter | None = None,
        parts: Sequence[str] = (),
        *,
        mode: Mode = "hybrid",
        caller: Caller | None = None,
        selection: Selection | None = None,
    ) -> list[Passage]:
        """Return the best passages for a query, and for its parts beside it.

        How they are chosen from the ranking, the settings say unless given.
        """
        chosen = selection or self._usual

        def run() -> list[Passage]:
            who = reads(caller)
            key = (query, top, repr(where), tuple(parts), mode, who, chosen, self._index.version())
            found = self._found.get(key)
            under_way().note(kept=found is not None)
            return list(self._found.put(key, tuple(search())) if found is None else found)

        def search() -> list[Passage]:
            with step("embed"):
                (vector, tokens), *others = self._embedded_each([query, *parts])
            return self._index.search(
                query,
                vector,
                top_k=top,
                where=where,
                mode=mode,
                tokens=tokens,
                caller=caller,
                selection=chosen,
                rerank=self._reranker,
                parts=[Query(text, *made) for text, made in zip(parts, others, strict=True)],
            )

        return await asyncio.to_thread(run)

    def embedded(self, query: str) -> Embedded:
        """Return a query's vector, shape (dimension,), and its tokens', shape (t, hidden). Blocks."""
        return self._embedded_each([query])[0]

    def _embedded_each(self, queries: Sequence[str]) -> list[Embedded]:
        held = {query: self._embedded.get(query) for query in queries}
        missing = [query for query, found in held.items() if found is None]
        # One alone goes with those of other threads; several are a batch of their own.
        made = (
            self._embedder.embed_each(missing)
            if len(missing) > 1
            else [self._embedder.embed_query(query) for query in missing]
        )
        held |= {query: self._embedded.put(query, each) for query, each in zip(missing, made, strict=True)}
        return [found for query in queries if (found := held[query]) is not None]

    def embed_alike(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts that are compared with each other, shape (n, dimension), each of length one. Blocks."""
        return self._embedder.embed_queries(texts)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts as passages are, shape (n, dimension), each of length one. Blocks."""
        return self._embedder.embed_passages(texts)
