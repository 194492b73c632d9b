"""The sentences that answer for themselves, chosen from the ranking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kernel.answering.ranking import Ranking, ScoredSentence

MAX_SENTENCES = 3
NEAR_SHARE = 0.92


def choose_sentences(ranking: Ranking, parts: int = 0) -> list[ScoredSentence]:
    """Return the best sentence, and those that answer nearly as well, in the order to show them.

    Args:
        ranking: of a question's sentences.
        parts: how many of its first ones answer the parts of the question, and so are all shown; 0 for one question.
    """
    if parts or not ranking.sentences:
        return ranking.sentences[:parts]
    best = ranking.sentences[0]
    return [item for item in ranking.sentences[:MAX_SENTENCES] if item.score >= NEAR_SHARE * best.score]


def with_parts(ranking: Ranking, parts: Sequence[Ranking]) -> tuple[Ranking, int]:
    """Return a ranking in which the best sentence of each part of the question comes first, and how many these are.

    Args:
        ranking: of the whole question.
        parts: the rankings of its parts, over the same passages; none for a question of one.
    """
    best = {part.sentences[0].sentence: part.sentences[0] for part in parts if part.sentences}
    if not best:
        return ranking, 0
    rest = [item for item in ranking.sentences if item.sentence not in best]
    return replace(ranking, sentences=[*best.values(), *rest]), len(best)
