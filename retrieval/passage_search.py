"""The search over the passages of an index: ranked by each part of a query, fused, and chosen from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from retrieval.chosen import Span
from retrieval.embedding import unit
from retrieval.filters import Filter
from retrieval.late_vectors import TokenCodec
from retrieval.leg_weights import LegWeights
from retrieval.part_fusion import fused_parts
from retrieval.passage_rows import context_text, found_passage, row_key
from retrieval.ranking import Mode, Query, Ranked, Ranker, Rerank, reranked
from retrieval.records import Passage
from retrieval.selection import Selection, select
from retrieval.stages import step
from retrieval.stores.interface import Collection, Documents, Hit
from retrieval.table_pieces import with_table_pieces

_LEG_DEPTH = 100


class PassageSearch:
    """Searches the rows of one collection, whose documents are in one table.

    Attributes:
        ranker: ranks rows.
        weights: of the legs of the search.
    """

    def __init__(self, store: Collection, table: Documents, codec: TokenCodec | None) -> None:
        self._store = store
        self._table = table
        self.weights = LegWeights(store)
        self.unpack_by(codec)

    def unpack_by(self, codec: TokenCodec | None) -> None:
        """Rank by token vectors that are packed so from now on; None ranks without them."""
        self.ranker = Ranker(self._store, codec)

    def search(
        self,
        query: Query,
        parts: Sequence[Query],
        *,
        top_k: int,
        where: Filter | None,
        mode: Mode,
        selection: Selection,
        rerank: Rerank | None,
    ) -> list[Passage]:
        """Return the best passages for a query whose vector is of length one, see `PassageIndex.search`.

        Call it within a transaction that reads.
        """

        def ranking(wanted: Query) -> list[Ranked]:
            found = self.ranker.rank(
                wanted,
                depth=max(_LEG_DEPTH, 2 * top_k),
                where=where,
                mode=mode,
                weights=self.weights.of(wanted.text),
            )
            if mode != "hybrid":
                return found
            found = with_table_pieces(found, self._data_of)
            if rerank is None:
                return found
            with step("rerank"):
                return reranked(found, lambda ids: rerank(wanted.text, self._read_texts(ids)))

        each = [(part.text, ranking(replace(part, vector=unit(part.vector)))) for part in parts]
        ranked = fused_parts(ranking(query), each)
        with step("select"):
            chosen = select(
                [(item.id, item.score) for item in ranked],
                self._store.rows,
                self._excerpts,
                top_k,
                selection,
                cache(self._beside),
            )
        starts = self._table.page_starts({each.span[0] for each in chosen})
        wider = self._excerpts([each.span for each in chosen if each.is_wider])
        found = {item.id: item for item in ranked}
        return [
            found_passage(
                each, rank, found[each.hit.id], query.vector, starts[each.span[0]], wider.get(each.span)
            )
            for rank, each in enumerate(chosen, start=1)
        ]

    def _data_of(self, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
        return {row_id: hit.data for row_id, hit in self._store.rows(ids, vectors=False).items()}

    def _read_texts(self, ids: Sequence[int]) -> list[str]:
        """Return the texts of rows as they are embedded."""
        rows = self._data_of(ids).values()
        return [context_text(row["title"], row["headings"], row["text"]) for row in rows]

    def _excerpts(self, spans: Sequence[Span]) -> dict[Span, str]:
        return self._table.excerpts(spans)

    def _beside(self, document_id: int, number: int) -> Hit | None:
        return next(iter(self._store.get([row_key(document_id, number)])), None)
