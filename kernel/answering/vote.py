"""Self-consistency: several drafts, and what most of them say.

Wang et al., "Self-Consistency Improves Chain of Thought Reasoning in Language Models" (ICLR 2023): sampled ways of
reasoning that end in one answer speak for it. Two final answers say the same when they have the same figures, deny
as often, and share at least half of the words of the one with fewer, those of the question left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kernel.answering.folded import denials, figure_values
from kernel.answering.texts import admits_ignorance
from plugins.example_check import MARKERS
from retrieval.analysis import analyze

SHARED = 0.5


@dataclass(frozen=True, slots=True)
class Elected:
    """The draft that was elected, by its place, and the share of all drafts that say the same."""

    place: int
    agreement: float


@dataclass(frozen=True, slots=True)
class Said:
    """What a final answer says, in a form that can be compared."""

    unknown: bool
    figures: frozenset[str]
    denials: int
    words: frozenset[str]

    def is_same(self, other: Said) -> bool:
        """Say whether two answers say the same."""
        if self.unknown or other.unknown:
            return self.unknown == other.unknown
        if self.figures != other.figures or self.denials != other.denials:
            return False
        fewer = min(len(self.words), len(other.words))
        if not fewer:
            return bool(self.figures) or self.words == other.words
        return len(self.words & other.words) >= SHARED * fewer


def elect(answers: Sequence[str], question: str, support: Callable[[str], float]) -> Elected:
    """Return which of several final answers is taken: the best supported one of the largest group.

    Groups of one size are told apart by their best supported answer. Empty answers have no vote.

    Args:
        answers: without their steps; one at least.
        question: what was asked; its words count for nothing.
        support: says how well the passages support an answer.
    """
    asked = words_of(question)
    groups: list[tuple[Said, list[int]]] = []
    for place, answer in enumerate(answers):
        said = said_by(answer, asked)
        if said is None:
            continue
        for first, members in groups:
            if first.is_same(said):
                members.append(place)
                break
        else:
            groups.append((said, [place]))
    if not groups:
        return Elected(0, 0.0)
    most = max(len(members) for _, members in groups)
    best = [place for _, members in groups if len(members) == most for place in members]
    # The first of equals, so that a seed gives one answer.
    return Elected(max(best, key=lambda place: support(answers[place])), most / len(answers))


def words_of(question: str) -> frozenset[str]:
    """Return the words of a question, which count for nothing in its answers."""
    return frozenset(token.text for token in analyze(question))


def said_by(answer: str, asked: frozenset[str]) -> Said | None:
    """Return what a final answer says; None where it is empty. `asked` are the words of the question."""
    bare = MARKERS.sub(" ", answer)
    if not any(character.isalnum() for character in bare):
        return None
    words = frozenset(
        token.text
        for token in analyze(bare)
        if token.is_content and not token.has_digit and token.text not in asked
    )
    return Said(admits_ignorance(bare), figure_values(bare), denials(bare), words)
