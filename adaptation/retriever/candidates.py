"""What the index finds for a question that it was not made for: hard negatives, and how much they say of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adaptation.corpus import Corpus
from adaptation.retriever.questions import PseudoQuestion, holds
from retrieval.embedding import unit
from retrieval.leg_weights import EmbedQuery
from retrieval.passages import PassageIndex

_DEPTH = 40
_LEAST = 64
MOST = 24
"""Candidates that are kept of a question."""


@dataclass(frozen=True)
class Candidates:
    """Passages that were found for a question and do not hold its words, by their ids, best first.

    `scores` are those of the hybrid search, shape (len(ids),): the keyword leg, the dense one and late interaction;
    `vector` is the question's, shape (dimension,) and length one.
    """

    question: PseudoQuestion
    vector: NDArray[np.float32]
    ids: tuple[int, ...]
    scores: NDArray[np.float32]


def mine(
    index: PassageIndex,
    corpus: Corpus,
    questions: Sequence[PseudoQuestion],
    embed_query: EmbedQuery,
    *,
    seconds: float,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Candidates]:
    """Search for each question; passages of the question's own group, and those that hold it, are left out.

    Args:
        index: as it was made by the embedder that is to be trained.
        corpus: read from it; what is not of the corpus is left out too.
        questions: to search for.
        embed_query: of the index's embedder.
        seconds: after which no further questions are searched for, once there are a few.
        on_progress: is told how many questions of how many are done.
    """
    found: list[Candidates] = []
    began = time.monotonic()
    for number, question in enumerate(questions, start=1):
        if number > _LEAST and time.monotonic() - began > seconds:
            break
        vector, tokens = embed_query(question.text)
        hits = [
            (hit.id, hit.score)
            for hit in index.search(question.text, vector, top_k=_DEPTH, tokens=tokens)
            if (passage := corpus.passages.get(hit.id)) is not None
            and passage.group != question.passage.group
            and not holds(passage.whole, question)
        ][:MOST]
        ids, scores = zip(*hits, strict=True) if hits else ((), ())
        found.append(Candidates(question, unit(vector), tuple(ids), np.array(scores, np.float32)))
        on_progress(number, len(questions))
    return found
