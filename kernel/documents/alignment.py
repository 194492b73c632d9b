"""Sentences of two documents that speak of the same thing, and how they differ.

Two sentences are a pair where each is the other's best. What makes them alike is the share of words that they have in
common, weighted by rarity; for other wordings, and between languages, the margin by which their embeddings are
nearer to each other than to their neighbours (Artetxe and Schwenk, ACL 2019), which needs no threshold of its own for
each embedder. Figures, and whether a sentence denies, are compared exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kernel.answering.evidence import InverseFrequencies, Sentence
from kernel.answering.folded import denials, figure_values, fold
from kernel.documents.sentences import bare, word_vectors
from retrieval.analysis import detect_language

Difference = Literal["figures", "negation", "words"]
Embed = Callable[[Sequence[str]], NDArray[np.float32]]
"""Gives vectors of length one, shape (n, dimension)."""

WORDS = 0.5
"""The cosine of their words from which two sentences may be a pair."""
ALIKE = 0.8
"""The cosine of their words from which two sentences without another difference say the same."""
MARGIN = 1.06
"""The margin of their embeddings from which two sentences in other words may be a pair."""
FIGURES = 0.05
"""What the margin gains where both have the same figures, one at least."""
_NEIGHBOURS = 4
_SAME_NUMBERS = 0.1


@dataclass(frozen=True, slots=True)
class Aligned:
    """Two sentences of a pair, and in what they differ; nothing for those that say the same."""

    first: Sentence
    second: Sentence
    differs_in: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Alignment:
    """Pairs in the order of the first document, and the sentences of each that have none."""

    pairs: list[Aligned]
    only_first: list[Sentence]
    only_second: list[Sentence]


def align(
    first: Sequence[Sentence],
    second: Sequence[Sentence],
    inverse_frequencies: InverseFrequencies,
    embed: Embed,
) -> Alignment:
    """Pair the sentences of two documents. Blocks; call it from a thread.

    Args:
        first: of the one document.
        second: of the other.
        inverse_frequencies: weights of tokens in the index.
        embed: embeds the sentences that do not stand in both documents word for word.
    """
    pairs = _identical(first, second)
    left = [place for place in range(len(first)) if place not in pairs]
    right = sorted(set(range(len(second))) - set(pairs.values()))
    both = [first[i] for i in left] + [second[i] for i in right]
    # Rare as a number is, another one makes no other sentence; but of equals the same number decides.
    words, alone = [
        vectors[: len(left)] @ vectors[len(left) :].T
        for vectors in (
            word_vectors(both, inverse_frequencies),
            word_vectors(both, inverse_frequencies, numbers=False),
        )
    ]
    shared = np.maximum(words, alone)
    for pair in _mutual(np.where(shared >= WORDS, shared + _SAME_NUMBERS * words, 0.0)):
        pairs[left[pair[0]]] = right[pair[1]]
    left = [place for place in left if place not in pairs]
    right = [place for place in right if place not in set(pairs.values())]
    if left and right:
        vectors = embed([first[i].text for i in left] + [second[i].text for i in right])
        margins = _margins(vectors[: len(left)] @ vectors[len(left) :].T)
        margins += FIGURES * _same_figures([first[i] for i in left], [second[i] for i in right])
        for pair in _mutual(np.where(margins >= MARGIN, margins, 0.0)):
            pairs[left[pair[0]]] = right[pair[1]]
    taken = set(pairs.values())
    return Alignment(
        [
            Aligned(first[i], second[pairs[i]], differences(first[i], second[pairs[i]], inverse_frequencies))
            for i in sorted(pairs)
        ],
        [item for place, item in enumerate(first) if place not in pairs],
        [item for place, item in enumerate(second) if place not in taken],
    )


def differences(
    first: Sentence, second: Sentence, inverse_frequencies: InverseFrequencies
) -> tuple[Difference, ...]:
    """Return in what two sentences differ that speak of the same thing.

    Their words are compared within a language only.
    """
    found: list[Difference] = []
    if figure_values(first.text) != figure_values(second.text):
        found.append("figures")
    if bool(denials(first.text) % 2) != bool(denials(second.text) % 2):
        found.append("negation")
    if not found and detect_language(first.text) == detect_language(second.text):
        words = word_vectors([first, second], inverse_frequencies)
        if float(words[0] @ words[1]) < ALIKE:
            found.append("words")
    return tuple(found)


def _identical(first: Sequence[Sentence], second: Sequence[Sentence]) -> dict[int, int]:
    """Pair sentences that stand in both, in their order where they stand there several times."""
    places: dict[str, list[int]] = {}
    for place, item in enumerate(second):
        places.setdefault(fold(bare(item.text))[0], []).append(place)
    pairs: dict[int, int] = {}
    for place, item in enumerate(first):
        if held := places.get(fold(bare(item.text))[0]):
            pairs[place] = held.pop(0)
    return pairs


def _same_figures(first: Sequence[Sentence], second: Sequence[Sentence]) -> NDArray[np.float32]:
    ours = [figure_values(item.text) for item in first]
    theirs = [figure_values(item.text) for item in second]
    return np.array([[bool(a) and a == b for b in theirs] for a in ours], np.float32)


def _mutual(scores: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Return the places, above 0, that are the best of their row and of their column; again for those left over."""
    scores = np.array(scores, np.float32)
    found: list[tuple[int, int]] = []
    while scores.size and scores.max() > 0:
        columns, rows = scores.argmax(axis=1), scores.argmax(axis=0)
        new = [(i, int(j)) for i, j in enumerate(columns) if rows[j] == i and scores[i, j] > 0]
        if not new:
            break
        found += new
        scores[[i for i, _ in new], :] = 0
        scores[:, [j for _, j in new]] = 0
    return found


def _margins(similarities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return each cosine as a multiple of the mean of the nearest ones of its row and its column."""

    def nearest(values: NDArray[np.float32]) -> NDArray[np.float32]:
        count = min(_NEIGHBOURS, values.shape[1])
        return np.asarray(np.sort(values, axis=1)[:, -count:].mean(axis=1), np.float32)

    around = (nearest(similarities)[:, None] + nearest(similarities.T)[None, :]) / 2
    return np.asarray(similarities / np.maximum(around, 1e-6), np.float32)
