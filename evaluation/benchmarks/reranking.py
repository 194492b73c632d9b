"""What ranking the best fifty passages again is worth, and what it costs: nothing, late interaction, a cross-encoder.

    python -m evaluation.benchmarks.reranking ../shared/data/scifact [--queries 100] [--cross NAME]

*none* is the fusion of dense and keyword search. *late, stored* looks at the token vectors that the index keeps at a
bit a value; *late, computed* embeds the fifty passages at the question and looks at the values themselves, which costs
no room. `--cross` names a cross-encoder, a folder or one of the hub. Milliseconds are what the ranking of fifty adds to
the question; bytes are what it keeps of a passage, in the mean.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.benchmarks.output import run_shown, say
from evaluation.embedder import embedder_of
from evaluation.retrieval.beir import load_beir
from evaluation.retrieval.metrics import bootstrap_interval, compare, per_query
from evaluation.retrieval.scratch import ScratchIndex, scratch_index
from kernel.embedders import find_reranker
from kernel.model_store import ModelStore
from kernel.settings import load_settings
from retrieval.cross_encoder import CrossEncoderReranker
from retrieval.embedding import unit
from retrieval.fusion import weighted_fusion
from retrieval.late_vectors import TokenCodec
from retrieval.ranking import DEFAULT_WEIGHTS, LATE, RERANKED, Query, Ranked, Ranker
from retrieval.records import context_of

Floats = NDArray[np.float32]
Scores = Callable[[Query, Sequence[int]], Floats]
"""Gives the scores of rows, by their ids, for a query."""

_DEPTH = 100
_FOLDER = "evaluations"


@dataclass(frozen=True, slots=True)
class Result:
    """One way: its quality with a 95 % interval, the difference to none, added milliseconds, bytes of a passage."""

    way: str
    ndcg: float
    interval: tuple[float, float]
    difference: float
    p_value: float
    p50_ms: float
    p99_ms: float
    passage_bytes: float


class Ways:
    """The ways to rank the candidates of an index again."""

    def __init__(self, scratch: ScratchIndex, codec: TokenCodec) -> None:
        self._scratch = scratch
        self._codec = codec
        self._store = scratch.index.store

    def candidates(self, ranker: Ranker, query: Query) -> list[Ranked]:
        """Return the best of dense and keyword search, fused."""
        return ranker.rank(Query(query.text, query.vector), depth=_DEPTH)[:RERANKED]

    def texts(self, ids: Sequence[int]) -> list[str]:
        """Return the texts of rows as they were embedded."""
        rows = self._store.rows(ids, vectors=False)
        each = [rows[row_id].data for row_id in ids]
        return [f"{context_of(row['title'], row['headings'])}\n{row['text']}" for row in each]

    def stored(self, query: Query, ids: Sequence[int]) -> Floats:
        """Return late interaction with the bits that the index keeps."""
        assert query.tokens is not None
        packed = self._store.late(ids)
        return self._codec.scores(query.tokens, [packed[row_id] for row_id in ids])

    def computed(self, query: Query, ids: Sequence[int]) -> Floats:
        """Return late interaction with vectors that are computed now, their mean taken off as for those kept."""
        assert query.tokens is not None
        prefix = self._scratch.embedder.signature.passage_prefix
        asked = self._centred(query.tokens)
        each = self._scratch.embedder.embed_tokens(self.texts(ids), prefix=prefix)
        return np.array(
            [(asked @ self._centred(one.vectors).T).max(axis=1).mean() for one in each], np.float32
        )

    def kept_bytes(self) -> float:
        """Return the mean size of a passage's packed token vectors."""
        ids = self._store.sample(None, 1000)
        return float(np.mean([len(packed) for packed in self._store.late(ids).values()]))

    def _centred(self, vectors: Floats) -> Floats:
        centred = vectors - self._codec.mean
        return np.asarray(
            centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-9), np.float32
        )


def fused(ranked: Sequence[Ranked], late: Floats) -> Floats:
    """Return the scores of candidates with late interaction as a further leg."""
    legs = {
        name: np.array([item.said[name][item.place] for item in ranked], np.float32)
        for name in ranked[0].said
    }
    return weighted_fusion(legs | {LATE: late}, DEFAULT_WEIGHTS)


def measure(
    scratch: ScratchIndex,
    queries: Sequence[tuple[str, str]],
    judgements: dict[str, dict[str, int]],
    cross: CrossEncoderReranker | None,
) -> list[Result]:
    """Rank the candidates of each query in every way."""
    codec = scratch.index.codec()
    assert codec is not None
    ways = Ways(scratch, codec)
    ranker = Ranker(scratch.index.store, codec)
    late: dict[str, Scores] = {"late, stored": ways.stored, "late, computed": ways.computed}
    names = ["none", *late, *([f"cross-encoder {cross.model}"] if cross else [])]
    rankings: dict[str, dict[str, list[tuple[str, float]]]] = {name: {} for name in names}
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for number, (name, text) in enumerate([queries[0], *queries]):  # the first one twice, to warm everything
        vector, tokens = scratch.embedder.embed_query(text)
        query = Query(text, unit(vector), tokens)
        with scratch.index.database.read():
            ranked = ways.candidates(ranker, query)
            ids = [item.id for item in ranked]
            rows = scratch.index.store.rows(ids, vectors=False)
            documents = [str(rows[row_id].data["document"]) for row_id in ids]
            for way in names:
                began = time.perf_counter()
                if way in late:
                    scores = fused(ranked, late[way](query, ids))
                elif way == "none":
                    scores = -np.arange(len(ids), dtype=np.float32)
                else:
                    assert cross is not None
                    scores = cross(text, ways.texts(ids))
                taken = time.perf_counter() - began
                if number:
                    seconds[way].append(taken)
                best: dict[str, float] = {}
                for place in np.argsort(-scores, kind="stable"):
                    best.setdefault(documents[place], float(scores[place]))
                rankings[way][name] = list(best.items())
        if number and number % 20 == 0:
            say(f"{number} of {len(queries)} questions")
    quality = {way: per_query(found, judgements)["ndcg@10"] for way, found in rankings.items()}
    kept = ways.kept_bytes()
    results = []
    for way, values in quality.items():
        change = compare(quality["none"], values)
        p50, p99 = (1000 * float(np.percentile(seconds[way], share)) for share in (50, 99))
        results.append(
            Result(
                way,
                float(values.mean()),
                bootstrap_interval(values),
                change.difference,
                change.p_value,
                p50,
                p99,
                kept if way == "late, stored" else 0.0,
            )
        )
    return results


def table(results: Sequence[Result]) -> list[str]:
    """Return results as lines for a terminal."""
    lines = [
        f"{'way':<28}{'ndcg@10':<24}{'less none':>10}{'p':>8}{'p50 ms':>9}{'p99 ms':>9}{'bytes a passage':>17}"
    ]
    for each in results:
        low, high = each.interval
        lines.append(
            f"{each.way:<28}{f'{each.ndcg:.4f} [{low:.3f}, {high:.3f}]':<24}{each.difference:>+10.4f}"
            f"{each.p_value:>8.4f}{each.p50_ms:>9.1f}{each.p99_ms:>9.1f}{each.passage_bytes:>17,.0f}"
        )
    return lines


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.benchmarks.reranking")
    parser.add_argument("folder", type=Path, help="a set in the form of BEIR")
    parser.add_argument(
        "--queries", type=int, default=100, help="how many of its questions, from the first on"
    )
    parser.add_argument("--cross", metavar="NAME", help="a cross-encoder: a folder, or a model of the hub")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    options = parser.parse_args()

    def run() -> list[Result]:
        settings = load_settings()
        models = ModelStore(settings.cache, offline=settings.offline)
        place = settings.cache / _FOLDER
        embedder = embedder_of(settings, say)
        found = load_beir(options.folder)
        cross = find_reranker(settings.model_copy(update={"reranker": options.cross or ""}), models)
        scratch = scratch_index(found, embedder, place, on_progress=lambda *_: None)
        queries = found.queries[: max(1, options.queries)]
        judgements = {name: found.judgements[name] for name, _ in queries}
        with closing(scratch.index):
            return measure(scratch, queries, judgements, cross)

    return run_shown(run, table, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
