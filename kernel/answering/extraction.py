"""The sentences that answer for themselves, chosen from the ranking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kernel.answer import ShortAnswer
from kernel.answering.ranking import Ranking, ScoredSentence
from kernel.answering.reading import Reading
from retrieval.records import Passage

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


def with_reading(
    ranking: Ranking, readings: Sequence[Reading], passages: Sequence[Passage]
) -> tuple[Ranking, ShortAnswer | None, bool]:
    """Return a ranking in which the sentence that the reading model points at comes first, and the words in it.

    Args:
        ranking: of the question's sentences.
        readings: the best span of each passage, best first.
        passages: that were ranked and read.

    Returns:
        the ranking; the words, None where nothing was read or they stand in no sentence; whether their sentence is the
        whole answer: they are likelier than that their passage holds none, and the ranking had the same sentence first.
    """
    if not readings:
        return ranking, None, False
    reading = readings[0]
    passage = passages[reading.passage]
    start, end = passage.start + reading.start, passage.start + reading.end
    overlaps = [
        min(end, item.sentence.end) - max(start, item.sentence.start)
        if item.sentence.document_id == passage.document_id
        else 0
        for item in ranking.sentences
    ]
    if max(overlaps, default=0) <= 0:
        return ranking, None, False
    first = ranking.sentences[overlaps.index(max(overlaps))]
    rest = [item for item in ranking.sentences if item is not first]
    own = first.sentence
    start, end = max(start, own.start), min(end, own.end)
    short = ShortAnswer(
        text=own.text[start - own.start : end - own.start], marker=own.passage + 1, start=start, end=end
    )
    alone = reading.margin > 0 and first is ranking.sentences[0]
    return replace(ranking, sentences=[first, *rest]), short, alone


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
