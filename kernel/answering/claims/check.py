"""Whether a text says what a sentence claims.

Words may be other and in another order; what must be the same is compared exactly: figures with their units, dates,
times, part numbers, names, denials, and the direction of limits. The reason is told where a text speaks of the same
thing and yet does not say it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from kernel.answering.claims.names import names
from kernel.answering.claims.polarity import LIMIT_WORDS, denies, is_denial, opposite_limits
from kernel.answering.claims.values import Value, find_values, is_among
from kernel.answering.support import SUPPORTED, support
from retrieval.analysis import Token, analyze, normalize

MEANT = 0.45
"""The least support by words with which a like meaning counts."""
_LIST_MARK = re.compile(r"^\s*(?:\d{1,2}[.)．、]|[-*•・])\s+")


class Reason(StrEnum):
    """Why a claim is not supported; nothing where it is."""

    NONE = ""
    WORDS = "words"
    FIGURE = "figure"
    NAME = "name"
    DENIAL = "denial"
    LIMIT = "limit"
    MODEL = "model"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a text makes of a claim. `score` is the support by words, 0 to 1."""

    score: float
    reason: Reason

    @property
    def is_supported(self) -> bool:
        """Say whether the text says what is claimed."""
        return self.reason is Reason.NONE

    @property
    def is_contradiction(self) -> bool:
        """Say whether the text speaks of the same thing and says something else of it."""
        return self.reason not in (Reason.NONE, Reason.WORDS)


@dataclass(frozen=True)
class Claim:
    """A sentence to be checked; `asked` are the words of the question, which by themselves support nothing."""

    text: str
    question: str = ""

    @cached_property
    def plain(self) -> str:
        """The sentence without the mark of a list."""
        return _LIST_MARK.sub("", self.text)

    @cached_property
    def tokens(self) -> list[Token]:
        """Its search tokens, those of its figures, limits and denials left out."""
        taken = [(value.start, value.end) for value in self.values]
        return [
            token
            for token in analyze(self.plain)
            if token.text not in LIMIT_WORDS
            and not is_denial(token.text)
            and not any(token.start < end and token.end > start for start, end in taken)
        ]

    @cached_property
    def asked(self) -> frozenset[str]:
        """The search tokens of the question."""
        return frozenset(token.text for token in analyze(self.question))

    @cached_property
    def values(self) -> list[Value]:
        """Its figures."""
        return find_values(self.plain)

    @cached_property
    def asked_values(self) -> list[Value]:
        """The figures of the question."""
        return find_values(self.question)

    @cached_property
    def adds_figures(self) -> bool:
        """Whether it has figures that the question has not."""
        return any(not is_among(value, self.asked_values) for value in self.values)

    @cached_property
    def names(self) -> frozenset[str]:
        """The words of its proper names."""
        return names(self.plain)


@dataclass(frozen=True, slots=True)
class Evidence:
    """A text that may support a claim.

    `words` are its distinct tokens, `context` those that it stands under (title and headings), `around` the text of the
    passage that it is of, in which the thing that it speaks of may be named.
    """

    text: str
    words: Set[str]
    context: Set[str] = frozenset()
    around: str = ""
    heading: str = ""


def judge(
    claim: Claim,
    evidence: Evidence,
    weights: Mapping[str, float],
    *,
    likeness: float = 0.0,
    alike: float = 2.0,
    threshold: float = SUPPORTED,
) -> Verdict:
    """Return what a text makes of a claim.

    Args:
        claim: a sentence.
        evidence: a sentence or two of a passage.
        weights: the inverse document frequency of tokens; a token that is not in it weighs 1.
        likeness: how well the evidence says, by others, the words of the claim that it lacks.
        alike: the likeness from which fewer common words are enough.
        threshold: least support by words, 0 to 1.
    """
    score = support(
        claim.tokens,
        evidence.words,
        weights,
        asked=claim.asked,
        context=evidence.context,
        adds_figures=claim.adds_figures,
    )
    if score < threshold and likeness < alike:
        return Verdict(score, Reason.WORDS)
    return Verdict(score, _difference(claim, evidence, weights))


def _difference(claim: Claim, evidence: Evidence, weights: Mapping[str, float]) -> Reason:
    """Return in what exact respect a text says something else than a claim."""
    held = find_values(evidence.text)
    of_subject = [value for value in find_values(evidence.heading) if value.kind == "code"]
    of_subject += [value for value in find_values(evidence.around) if is_among(value, claim.asked_values)]
    lacking = [
        value for value in claim.values if not is_among(value, held) and not is_among(value, of_subject)
    ]
    missing = claim.names - evidence.words - evidence.context
    missing -= {token.text for token in analyze(evidence.around)} if missing else set()
    if missing or any(value.kind == "code" for value in lacking):
        return Reason.NAME  # of something else
    if lacking:
        return Reason.FIGURE
    if _other_limits(claim, evidence.text, held):
        return Reason.LIMIT
    if denies(claim.plain, evidence.text, weights):
        return Reason.DENIAL
    return Reason.NONE


def _other_limits(claim: Claim, evidence: str, held: Sequence[Value]) -> bool:
    pairs = [
        ((value.start, value.end), (other.start, other.end))
        for value in claim.values
        for other in held
        if value.kind != "code" and value.same(other)
    ]
    return bool(pairs) and opposite_limits(
        normalize(claim.plain),
        [ours for ours, _ in pairs],
        normalize(evidence),
        [theirs for _, theirs in pairs],
    )
