"""Which sentences of the passages answer a question, and how well.

Two measures are mixed. *Coverage*: the share of the question's meaning-carrying words, weighted by rarity,
that stand in the sentence, its headings or its passage's title. *Late interaction*: each word of the question
is held against every word of the sentence by the embedder's own token vectors, and the best matches are
averaged (Khattab, Zaharia: ColBERT, SIGIR 2020), which sees synonyms and works across languages. The sentence's
vectors are those that the index keeps, a bit a value, see `passage_tokens`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernel.answering.evidence import (
    InverseFrequencies,
    Sentence,
    context_words,
    passage_sentences,
    words_of,
)
from kernel.answering.passage_tokens import PassageTokens
from kernel.answering.support import weighted_share
from retrieval.analysis import Token, analyze
from retrieval.records import Passage
from retrieval.stages import step

# Chosen on data/calibration, and looked at on public questions (xquad_en) too.
COVERAGE_WEIGHT = 0.2
RANK_COST = 0.02
"""What each place of the passage in the ranking takes off the score of its sentences."""
_ASKS = re.compile(r"(?:[?？]|か[。．]?)[\s」』\"')]*$")
LENGTH_COST = 0.0001
"""What each character takes off: a long sentence holds more words by chance."""
SLOPE, LEVEL = 0.30, 0.68
"""Read on data/calibration: what the best sentences of questions have by whole vectors and by packed ones."""


EmbedQuery = Callable[[str], tuple[NDArray[np.float32], NDArray[np.float32]]]
"""Gives the vector of a question, shape (dimension,), and those of its tokens, shape (t, hidden)."""


@dataclass(frozen=True, slots=True)
class ScoredSentence:
    """A sentence with its scores, each between 0 and about 1."""

    sentence: Sentence
    score: float
    coverage: float
    interaction: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """The sentences, best first, and what was measured on the way, for the estimate of answerability.

    `question_words` are the question's content tokens, `weights` how rare each is, `passage_words` what each
    passage holds, its title and headings included.
    """

    sentences: list[ScoredSentence]
    question_words: list[Token]
    weights: Mapping[str, float]
    passage_words: list[frozenset[str]]


class SentenceRanker:
    """Ranks the sentences of passages by how well they answer a question. Blocks; call it from a thread."""

    def __init__(
        self, tokens: PassageTokens, embed_query: EmbedQuery, inverse_frequencies: InverseFrequencies
    ) -> None:
        self._tokens = tokens
        self._embed_query = embed_query
        self._inverse_frequencies = inverse_frequencies

    def rank(self, question: str, passages: Sequence[Passage]) -> Ranking:
        """Rank the sentences of passages that were found for a question."""
        words = question_words(question)
        asked_words = [token.text for token in words]
        weights = self._inverse_frequencies(asked_words)
        with step("words"):
            contexts = [context_words(passage) for passage in passages]
            sentences = [item for item in passage_sentences(passages) if not item.is_heading]
            held = [
                context | words_of(passage.text) for context, passage in zip(contexts, passages, strict=True)
            ]
        with step("tokens"):
            interactions = self._interactions(question, passages, sentences)
        scored = []
        for sentence, interaction in zip(sentences, interactions, strict=True):
            if _repeats(sentence, asked_words):
                continue
            covered = weighted_share(asked_words, sentence.words | contexts[sentence.passage], weights)
            score = COVERAGE_WEIGHT * covered + (1 - COVERAGE_WEIGHT) * interaction
            score -= RANK_COST * sentence.passage + LENGTH_COST * len(sentence.text)
            scored.append(ScoredSentence(sentence, score, covered, interaction))
        scored.sort(key=lambda item: (-item.score, item.sentence.passage, item.sentence.start))
        return Ranking(scored, words, weights, held)

    def _interactions(
        self, question: str, passages: Sequence[Passage], sentences: Sequence[Sentence]
    ) -> list[float]:
        """Return the late interaction of the question with each sentence; 0 where none of its tokens is known."""
        _, asked = self._embed_query(question)
        if not len(asked):  # of a model whose vectors are not those of its tokens alone
            asked = self._tokens.question(question)
        if not len(asked):
            return [0.0] * len(sentences)
        held = self._tokens.of(passages)
        matches = [self._tokens.codec.matches(asked, tokens.packed) for tokens in held]
        places = [tokens.start for tokens in held]  # sentences come in the order of their passages' texts
        found = []
        for sentence in sentences:
            number = sentence.passage
            start, end = held[number].place(sentence.text, places[number])
            places[number] = max(places[number], start)
            first, last = held[number].rows(start, end)
            best = matches[number][first:last]
            found.append(_as_cosine(float(best.max(axis=0).mean())) if best.size else 0.0)
        return found


def _as_cosine(interaction: float) -> float:
    """Return what packed tokens say as what whole vectors would say, on the average.

    The weights above, and the estimate of answerability, were fitted on the cosines of whole vectors.
    """
    return SLOPE * interaction + LEVEL


def question_words(question: str) -> list[Token]:
    """Return the distinct content tokens of a question, in order."""
    words = {token.text: token for token in reversed(analyze(question)) if token.is_content}
    return sorted(words.values(), key=lambda token: token.start)


def _repeats(sentence: Sentence, asked: Sequence[str]) -> bool:
    """Tell whether a sentence is the question over again, perhaps with a label, which answers nothing."""
    if not _ASKS.search(sentence.text):
        return False
    said = {token.text for token in sentence.tokens if token.is_content}
    return len(said - set(asked)) <= 1 < len(said)
