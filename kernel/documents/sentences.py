"""The sentences of a document that can stand for themselves, and which of them stand for the others.

Centrality is LexRank (Erkan and Radev, JAIR 2004): a sentence counts as much as those count that are like it, by
the cosine of their words weighted by rarity. Of the central ones those are taken that are unlike each other, by
maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kernel.answering.evidence import InverseFrequencies, Sentence, passage_sentences
from retrieval.records import Passage

MOST_SENTENCES = 1500
"""Sentences that are held against each other: of more, those nearest to the whole document."""
RELEVANCE = 0.7
_DAMPING = 0.85
_ROUNDS = 30
_LEAST_WORDS = 4
_LONGEST = 500
_LIST_MARK = re.compile(r"^\s*(?:[-*•・]|\(?\d{1,2}[.)）．])\s+")


def content_sentences(passages: Sequence[Passage]) -> list[Sentence]:
    """Return the sentences of passages in order, without headings, table rows and scraps."""
    return [
        item
        for item in passage_sentences(passages)
        if not item.is_heading
        and not item.text.lstrip().startswith("|")
        and len(item.text) <= _LONGEST
        and len([token for token in item.tokens if token.is_content]) >= _LEAST_WORDS
    ]


def compared_sentences(passages: Sequence[Passage]) -> list[Sentence]:
    """Return all that two documents can differ in: sentences, list items and rows of tables, without headings."""
    return [
        item
        for item in passage_sentences(passages)
        if not item.is_heading and any(character.isalnum() for character in item.text)
    ]


def bare(text: str) -> str:
    """Return a sentence without the mark of a list before it."""
    return " ".join(_LIST_MARK.sub("", text).split())


def word_vectors(
    sentences: Sequence[Sentence], inverse_frequencies: InverseFrequencies, *, numbers: bool = True
) -> NDArray[np.float32]:
    """Return the words of sentences as vectors of length one, weighted by rarity, shape (n, words).

    Without `numbers` those are left out; part numbers, which have letters, are not.
    """
    words = [
        Counter(
            token.text
            for token in sentence.tokens
            if token.is_content and (numbers or any(character.isalpha() for character in token.text))
        )
        for sentence in sentences
    ]
    vocabulary = {word: place for place, word in enumerate(dict.fromkeys(w for each in words for w in each))}
    weights = inverse_frequencies(list(vocabulary))
    vectors = np.zeros((len(sentences), max(1, len(vocabulary))), np.float32)
    for row, each in enumerate(words):
        for word, count in each.items():
            vectors[row, vocabulary[word]] = (1 + np.log(count)) * weights.get(word, 1.0)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths == 0, 1, lengths), np.float32)


def central_sentences(
    sentences: Sequence[Sentence], count: int, inverse_frequencies: InverseFrequencies
) -> list[Sentence]:
    """Return the sentences that stand best for all of them and are unlike each other, in their own order."""
    if len(sentences) <= count:
        return list(sentences)
    if len(sentences) > MOST_SENTENCES:
        sentences = _nearest_to_all(sentences, inverse_frequencies)
    vectors = word_vectors(sentences, inverse_frequencies)
    likeness = vectors @ vectors.T
    centrality = _lexrank(likeness)
    centrality = centrality / centrality.max()
    chosen: list[int] = []
    redundancy = np.zeros(len(sentences), np.float32)
    while len(chosen) < count:
        scores = RELEVANCE * centrality - (1 - RELEVANCE) * redundancy
        scores[chosen] = -np.inf
        best = int(np.argmax(scores))
        chosen.append(best)
        redundancy = np.maximum(redundancy, likeness[best])
    return [sentences[place] for place in sorted(chosen)]


def _lexrank(likeness: NDArray[np.float32]) -> NDArray[np.float32]:
    moves = likeness.copy()
    np.fill_diagonal(moves, 0.0)
    totals = moves.sum(axis=1, keepdims=True)
    # One that is like no other leads everywhere.
    moves = np.where(totals > 0, moves / np.where(totals > 0, totals, 1), 1 / len(moves)).astype(np.float32)
    ranks = np.full(len(moves), 1 / len(moves), np.float32)
    for _ in range(_ROUNDS):
        ranks = ((1 - _DAMPING) / len(moves) + _DAMPING * (moves.T @ ranks)).astype(np.float32)
    return ranks


def _nearest_to_all(sentences: Sequence[Sentence], inverse_frequencies: InverseFrequencies) -> list[Sentence]:
    counts = Counter(token.text for sentence in sentences for token in sentence.tokens if token.is_content)
    weights = inverse_frequencies(list(counts))

    def score(sentence: Sentence) -> float:
        words = [token.text for token in sentence.tokens if token.is_content]
        total = sum(math.log1p(counts[word]) * weights.get(word, 1.0) for word in set(words))
        return float(total) / len(words)

    kept = sorted(range(len(sentences)), key=lambda place: -score(sentences[place]))[:MOST_SENTENCES]
    return [sentences[place] for place in sorted(kept)]
