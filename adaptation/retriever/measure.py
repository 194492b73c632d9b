"""How well an embedder finds passages for made-up questions, by meaning alone."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adaptation.corpus import Corpus, Material
from adaptation.retriever.questions import PseudoQuestion, holds
from retrieval.embedding import Embedder

MOST_PASSAGES = 1500
"""Passages that are searched in; of more, those of the questions and a sample of the others."""
_DEPTH = 10


@dataclass(frozen=True)
class Trial:
    """Questions and the passages to find them among, in which each question's own words are left out of its own."""

    questions: Sequence[PseudoQuestion]
    passages: Sequence[Material]

    @staticmethod
    def of(
        questions: Sequence[PseudoQuestion], corpus: Corpus, *, seed: int, most: int = MOST_PASSAGES
    ) -> Trial:
        """Make a trial; `most` bounds the passages that are searched in."""
        own = {question.passage.id: question.passage for question in questions}
        others = [passage for row_id, passage in corpus.passages.items() if row_id not in own]
        random.Random(seed).shuffle(others)  # noqa: S311 - no secret
        return Trial(questions, [*own.values(), *others][: max(most, len(own))])

    def ranks(self, embedder: Embedder) -> NDArray[np.int64]:
        """Return the place of each question's own passage, from 1, shape (len(questions),).

        It is searched without the words of the question; other passages of its document, and those that hold
        the question as it stands, are left out.
        """
        asked = embedder.embed_queries([question.text for question in self.questions])
        right = embedder.embed_passages([question.rest for question in self.questions])
        all_passages = embedder.embed_passages([passage.whole for passage in self.passages])
        scores = asked @ all_passages.T
        own = np.einsum("ij,ij->i", asked, right)
        for row, question in enumerate(self.questions):
            for column in np.flatnonzero(scores[row] > own[row]).tolist():
                passage = self.passages[column]
                if passage.group == question.passage.group or holds(passage.whole, question):
                    scores[row, column] = -np.inf
        return np.asarray(1 + (scores > own[:, None]).sum(axis=1), np.int64)


def figures(ranks: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """Return nDCG@10 and the reciprocal rank of the one right passage of each question."""
    found = ranks <= _DEPTH
    return {
        "ndcg@10": np.where(found, 1 / np.log2(1 + ranks), 0.0),
        "mrr@10": np.where(found, 1 / ranks, 0.0),
    }
