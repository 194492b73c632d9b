"""The sentences that answer for themselves, chosen from the ranking."""

from __future__ import annotations

from kernel.answering.ranking import Ranking, ScoredSentence

MAX_SENTENCES = 3
NEAR_SHARE = 0.92


def choose_sentences(ranking: Ranking) -> list[ScoredSentence]:
    """Return the best sentence, and those that answer nearly as well, in the order to show them."""
    if not ranking.sentences:
        return []
    best = ranking.sentences[0]
    return [item for item in ranking.sentences[:MAX_SENTENCES] if item.score >= NEAR_SHARE * best.score]
