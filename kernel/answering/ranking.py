"""Which sentences of the passages answer a question, and how well.

Two measures are mixed. *Coverage*: the share of the question's meaning-carrying words, weighted by rarity,
that stand in the sentence, its headings or its passage's title. *Late interaction*: each word of the question
is held against every word of the sentence by the embedder's own token vectors, and the best matches are
averaged (Khattab, Zaharia: ColBERT, SIGIR 2020), which sees synonyms and works across languages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from kernel.answering.evidence import InverseFrequencies, Sentence, context_words, passage_sentences
from kernel.answering.support import weighted_share
from retrieval.analysis import Token, analyze
from retrieval.embedding import EmbedderSignature
from retrieval.records import Passage

# Chosen on data/calibration, and looked at on public questions (xquad_en) too.
COVERAGE_WEIGHT = 0.2
RANK_COST = 0.02
"""What each place of the passage in the ranking takes off the score of its sentences."""
_ASKS = re.compile(r"(?:[?？]|か[。．]?)[\s」』\"')]*$")
LENGTH_COST = 0.0001
"""What each character takes off: a long sentence holds more words by chance."""


class TokenEmbedder(Protocol):
    """Gives the vectors of a text's tokens: `vectors` of shape (t, d) and length one, `offsets` into the text."""

    @property
    def signature(self) -> EmbedderSignature:
        """Names the prefixes that the model was trained with."""

    def embed_tokens(self, texts: Sequence[str], *, prefix: str) -> Sequence[Any]:
        """Return for each text its token vectors with their character offsets."""


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

    def __init__(self, embedder: TokenEmbedder, inverse_frequencies: InverseFrequencies) -> None:
        self._embedder = embedder
        self._inverse_frequencies = inverse_frequencies

    def rank(self, question: str, passages: Sequence[Passage]) -> Ranking:
        """Rank the sentences of passages that were found for a question."""
        words = question_words(question)
        asked_words = [token.text for token in words]
        weights = self._inverse_frequencies(asked_words)
        contexts = [context_words(passage) for passage in passages]
        sentences = [item for item in passage_sentences(passages) if not item.is_heading]
        prefixes = self._embedder.signature
        (asked,) = self._embedder.embed_tokens([question], prefix=prefixes.query_prefix)
        held = self._embedder.embed_tokens(
            [passage.text for passage in passages], prefix=prefixes.passage_prefix
        )
        matches = [np.asarray(asked.vectors) @ np.asarray(item.vectors).T for item in held]
        scored = []
        for sentence in sentences:
            if _repeats(sentence, asked_words):
                continue
            passage = passages[sentence.passage]
            covered = weighted_share(asked_words, sentence.words | contexts[sentence.passage], weights)
            columns = _columns(
                held[sentence.passage].offsets, sentence.start - passage.start, sentence.end - passage.start
            )
            best = matches[sentence.passage][:, columns]
            interaction = float(best.max(axis=1).mean()) if best.size else 0.0
            score = COVERAGE_WEIGHT * covered + (1 - COVERAGE_WEIGHT) * interaction
            score -= RANK_COST * sentence.passage + LENGTH_COST * len(sentence.text)
            scored.append(ScoredSentence(sentence, score, covered, interaction))
        scored.sort(key=lambda item: (-item.score, item.sentence.passage, item.sentence.start))
        passage_words = [
            context | frozenset(token.text for token in analyze(passage.text))
            for context, passage in zip(contexts, passages, strict=True)
        ]
        return Ranking(scored, words, weights, passage_words)


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


def _columns(offsets: Sequence[tuple[int, int]], start: int, end: int) -> list[int]:
    return [place for place, (first, last) in enumerate(offsets) if first < end and last > start]
