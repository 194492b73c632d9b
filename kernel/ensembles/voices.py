"""What is known of the answers of an ensemble's members, each and beside the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kernel.answer import Answer
from kernel.variant_names import EXTRACTIVE


@dataclass(frozen=True, slots=True)
class Voice:
    """A member's answer: `member` is its place among the members, `variant` who was asked."""

    member: int
    variant: str
    answer: Answer

    @property
    def is_own(self) -> bool:
        """Whether it is what the member itself says.

        A member whose draft held nothing that the passages support hands over to the quotations of `extractive`; these
        are no second opinion beside those of `extractive` itself.
        """
        return self.answer.refused or self.variant == EXTRACTIVE or self.answer.variant != EXTRACTIVE


def support_of(answer: Answer) -> float:
    """Return how well the passages support an answer, 0 to 1: the share of its sentences, each by its score.

    A refusal is as well supported as it is likely that the passages do not answer.
    """
    if answer.refused:
        return 1.0 - answer.confidence
    sentences = len(answer.citations) + len(answer.unsupported)
    return sum(citation.score for citation in answer.citations) / sentences if sentences else 0.0


def sureness_of(answer: Answer) -> float:
    """Return how sure an answer is, 0 to 1: that the passages hold one, and that they support this one."""
    return support_of(answer) * (1.0 if answer.refused else answer.confidence)


def cited_alike(one: Answer, other: Answer) -> float:
    """Return how far two answers cite the same passages, 0 to 1 (Jaccard); two refusals do wholly."""
    if one.refused or other.refused:
        return float(one.refused and other.refused)
    first, second = _cited(one), _cited(other)
    return len(first & second) / len(first | second) if first | second else 0.0


def agreement_of(voice: Voice, voices: Sequence[Voice]) -> float:
    """Return how far the other voices cite what one cites, 0 to 1; 1 where there is no other."""
    others = [cited_alike(voice.answer, other.answer) for other in voices if other is not voice]
    return sum(others) / len(others) if others else 1.0


def _cited(answer: Answer) -> set[tuple[str, int]]:
    found = set()
    for citation in answer.citations:
        place = citation.marker - 1
        if 0 <= place < len(answer.passages):
            found.add((answer.passages[place].document, answer.passages[place].start))
    return found
