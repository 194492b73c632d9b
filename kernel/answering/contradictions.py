"""Passages that contradict each other: the same is said with another figure, another limit, or denied.

Only sentences that come into question as the answer are held against each other, and only those of different
documents; which of them holds today, the reader sees by their dates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

from kernel.answer import Contradiction
from kernel.answering.citations import cite
from kernel.answering.claims.check import Claim, Reason
from kernel.answering.claims.names import names
from kernel.answering.claims.polarity import denies, opposite_limits
from kernel.answering.claims.values import Value
from kernel.answering.evidence import Sentence
from kernel.answering.ranking import Ranking
from kernel.answering.support import weighted_share
from retrieval.analysis import normalize
from retrieval.records import Passage

_MOST_SENTENCES = 12
_NEAR = 0.9
"""The share of the best score from which a sentence comes into question."""
_SHARED = 0.6
"""The weighted share of each one's words that the other must have, to speak of the same."""
_MOST = 3

InverseFrequencies = Callable[[Sequence[str]], Mapping[str, float]]


def contradictions(
    passages: Sequence[Passage], ranking: Ranking, inverse_frequencies: InverseFrequencies
) -> list[Contradiction]:
    """Return what contradicts each other among the best sentences, those that rank best first.

    Args:
        passages: that were found for a question.
        ranking: of their sentences.
        inverse_frequencies: weights of tokens in the index.
    """
    if not ranking.sentences:
        return []
    floor = _NEAR * ranking.sentences[0].score
    near = [item.sentence for item in ranking.sentences[:_MOST_SENTENCES] if item.score >= floor]
    claims = {sentence: Claim(sentence.text) for sentence in near}
    words = {token.text for claim in claims.values() for token in claim.tokens}
    weights = inverse_frequencies(sorted(words))
    found = []
    for one, other in combinations(near, 2):
        if one.document_id == other.document_id:
            continue
        reason = _difference(claims[one], claims[other], weights)
        if reason is not Reason.NONE:
            first, second = (cite([sentence], passages, 1.0) for sentence in (one, other))
            found.append(
                Contradiction(
                    first=first,
                    second=second,
                    first_date=_date(one, passages),
                    second_date=_date(other, passages),
                    about=reason.value,
                )
            )
    return found[:_MOST]


def _date(sentence: Sentence, passages: Sequence[Passage]) -> str | None:
    return passages[sentence.passage].date


def _difference(one: Claim, other: Claim, weights: Mapping[str, float]) -> Reason:
    """Return in what two sentences that speak of the same contradict each other."""
    ours, theirs = ({token.text for token in claim.tokens if token.is_content} for claim in (one, other))
    if not ours or not theirs:
        return Reason.NONE
    if min(weighted_share(ours, theirs, weights), weighted_share(theirs, ours, weights)) < _SHARED:
        return Reason.NONE
    if _codes(one) != _codes(other) or names(one.plain) ^ names(other.plain):
        return Reason.NONE  # of different things
    if _other_figures(one.values, other.values):
        return Reason.FIGURE
    pairs = [(mine, its) for mine in one.values for its in other.values if mine.same(its)]
    if opposite_limits(
        normalize(one.plain),
        [(mine.start, mine.end) for mine, _ in pairs],
        normalize(other.plain),
        [(its.start, its.end) for _, its in pairs],
    ):
        return Reason.LIMIT
    if denies(one.plain, other.plain, weights):
        return Reason.DENIAL
    return Reason.NONE


def _codes(claim: Claim) -> set[str]:
    return {value.key for value in claim.values if value.kind == "code"}


def _other_figures(ours: Sequence[Value], theirs: Sequence[Value]) -> bool:
    """Say whether both measure the same, and have no figure of it in common."""

    def measures(values: Sequence[Value]) -> dict[tuple[str, str], set[object]]:
        found: dict[tuple[str, str], set[object]] = {}
        for value in values:
            if value.kind in ("code", "number"):
                continue
            dated = value.kind in ("date", "clock", "phone")
            place = (value.kind, "" if dated else value.key)
            found.setdefault(place, set()).add(value.key if dated else value.amount)
        return found

    mine, its = measures(ours), measures(theirs)
    return any(not mine[place] & its[place] for place in mine.keys() & its.keys())
