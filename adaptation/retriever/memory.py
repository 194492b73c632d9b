"""What the index holds of the passages that are learned from: what questions are held against while training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adaptation.corpus import Corpus
from adaptation.retriever.candidates import Candidates
from adaptation.retriever.questions import PseudoQuestion
from retrieval.embedding import Embedder
from retrieval.late_vectors import TokenCodec
from retrieval.passages import PassageIndex


@dataclass(frozen=True)
class Memory:
    """Vectors of passages, float32 of shape (n, dimension) and length one, and where each passage stands.

    `late` are the packed vectors of each one's tokens and `codec` how they are packed; none where the index keeps none.
    """

    vectors: NDArray[np.float32]
    places: Mapping[int, int]
    groups: NDArray[np.int64]
    late: Sequence[bytes] = ()
    codec: TokenCodec | None = None


@dataclass(frozen=True)
class Example:
    """What is known of a question, by places in the memory: its own passage, and hard negatives with their scores.

    `same` are the passages of its own group, its own one left out: they are no wrong answers.
    """

    own: int
    same: NDArray[np.int64]
    negatives: NDArray[np.int64]
    scores: NDArray[np.float32]


@dataclass(frozen=True)
class Choice:
    """Questions by which it is chosen when to stop and how far to go.

    `own` are the vectors of each one's passage without the question's words, shape (len(questions), dimension);
    `left_out` the places that are not counted for it.
    """

    questions: Sequence[PseudoQuestion]
    own: NDArray[np.float32]
    left_out: Sequence[NDArray[np.int64]]

    def quality(
        self, asked: NDArray[np.float32], memory: Memory, layer: NDArray[np.float32] | None = None
    ) -> float:
        """Return the mean reciprocal rank for the questions' vectors, all turned by a layer where one is given."""
        asked, right, passages = (_turned(each, layer) for each in (asked, self.own, memory.vectors))
        scores = asked @ passages.T
        for row, places in enumerate(self.left_out):
            scores[row, places] = -np.inf
        own = np.einsum("ij,ij->i", asked, right)
        return float((1 / (1 + (scores > own[:, None]).sum(axis=1))).mean())


def _turned(vectors: NDArray[np.float32], layer: NDArray[np.float32] | None) -> NDArray[np.float32]:
    if layer is None:
        return vectors
    turned = vectors @ layer
    return np.asarray(turned / np.linalg.norm(turned, axis=1, keepdims=True), np.float32)


def read_memory(index: PassageIndex, corpus: Corpus) -> Memory:
    """Read what the index holds of a corpus."""
    ids = list(corpus.passages)
    vectors, late, codec = index.store.vectors(ids), index.store.late(ids), index.codec()
    whole = codec is not None and len(late) == len(ids)
    return Memory(
        np.stack([vectors[row_id] for row_id in ids]),
        {row_id: place for place, row_id in enumerate(ids)},
        np.array([corpus.passages[row_id].group for row_id in ids], np.int64),
        [late[row_id] for row_id in ids] if whole else (),
        codec if whole else None,
    )


def examples_of(mined: Sequence[Candidates], memory: Memory) -> list[Example]:
    """Return what is known of each question that was searched for."""
    return [
        Example(
            memory.places[found.question.passage.id],
            np.setdiff1d(_same(found.question, memory), [memory.places[found.question.passage.id]]),
            np.array([memory.places[row_id] for row_id in found.ids], np.int64),
            found.scores,
        )
        for found in mined
    ]


def choice_of(questions: Sequence[PseudoQuestion], memory: Memory, embedder: Embedder) -> Choice:
    """Prepare questions to choose by; `embedder` is the one that made the memory."""
    own = embedder.embed_passages([question.rest for question in questions])
    return Choice(questions, own, [_same(question, memory) for question in questions])


def _same(question: PseudoQuestion, memory: Memory) -> NDArray[np.int64]:
    return np.flatnonzero(memory.groups == question.passage.group)
