"""Self-consistency: several drafts, and what most of them say.

Wang et al., "Self-Consistency Improves Chain of Thought Reasoning in Language Models" (ICLR 2023): sampled ways of
reasoning that end in one answer speak for it. Two final answers say the same when they have the same figures, deny
as often, and share at least half of the words of the one with fewer. Words of the question are left out, and so are
figures of what it names, as the 2 of "kiln K2", where both answers have others and do not name different ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from kernel.answering.folded import COUNTERS, Figure, denials, figures, fold
from kernel.answering.texts import admits_ignorance
from plugins.example_check import MARKERS
from retrieval.analysis import analyze, normalize

SHARED = 0.5
_HONORIFICS = frozenset(("さん", "様", "氏", "君", "殿", "mr", "ms", "mrs", "dr"))
_COUNTED = re.compile(rf"[\d〇一二三四五六七八九十百千]+(?:{COUNTERS})")
"""A number with its counter, which the figures have already: "20分", "20分間" and "二十分間" are the same."""
_NUMBERED = re.compile(r"(?<![a-z0-9])[a-z]+-?\d+(?![.,]?\d)")


@dataclass(frozen=True, slots=True)
class Elected:
    """The draft that was elected, by its place, and the share of all drafts that say the same."""

    place: int
    agreement: float


@dataclass(frozen=True, slots=True)
class Said:
    """What a final answer says, in a form that can be compared; `new` are the figures beside those
    of what the question names, `named` which of that it names too."""

    unknown: bool
    figures: frozenset[str]
    new: frozenset[str]
    named: frozenset[str]
    denials: int
    words: frozenset[str]

    def is_same(self, other: Said) -> bool:
        """Say whether two answers say the same."""
        if self.unknown or other.unknown:
            return self.unknown == other.unknown
        if not self.counts_same(other):
            return False
        fewer = min(len(self.words), len(other.words))
        if not fewer:
            return bool(self.figures) or self.words == other.words
        return len(self.words & other.words) >= SHARED * fewer

    def counts_same(self, other: Said) -> bool:
        """Say whether two answers have the same figures and deny as often."""
        if self.denials != other.denials:
            return False
        if self.named and other.named and self.named != other.named:
            return False
        return self.new == other.new if self.new and other.new else self.figures == other.figures


@dataclass(frozen=True, slots=True)
class Named:
    """The words of a question, and those with a number in them, in one form: `k2`, `g7`."""

    words: frozenset[str]
    numbered: frozenset[str]


def elect(answers: Sequence[str], question: str, support: Callable[[str], float]) -> Elected:
    """Return which of several final answers is taken: the best supported one of the largest group.

    Groups of one size are told apart by their best supported answer. Empty answers have no vote.

    Args:
        answers: without their steps; one at least.
        question: what was asked; its words count for nothing.
        support: says how well the passages support an answer.
    """
    asked = named_by(question)
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


def named_by(question: str) -> Named:
    """Return what a question names, which counts for little in its answers."""
    numbered = frozenset(name for name, _, _ in _numbered(question))
    return Named(frozenset(token.text for token in analyze(question)), numbered)


def said_by(answer: str, asked: Named) -> Said | None:
    """Return what a final answer says; None where it is empty. `asked` is what the question names."""
    bare = MARKERS.sub(" ", answer)
    if not any(character.isalnum() for character in bare):
        return None
    words = frozenset(
        token.text
        for token in analyze(_COUNTED.sub(" ", normalize(bare)))
        if token.is_content and not token.has_digit and token.text not in asked.words | _HONORIFICS
    )
    known = [each for each in _numbered(bare) if each[0] in asked.numbered]
    found = figures(bare)
    new = [each for each in found if not any(start <= each.start < end for _, start, end in known)]
    return Said(
        unknown=admits_ignorance(bare),
        figures=_values(found),
        new=_values(new),
        named=frozenset(name for name, _, _ in known),
        denials=denials(bare),
        words=words,
    )


def _values(found: Iterable[Figure]) -> frozenset[str]:
    return frozenset(f"{figure.value} {figure.unit}".strip() for figure in found)


def _numbered(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield words such as K2 and G-7 in one form, each with its span in the text."""
    folded, places = fold(text)
    for found in _NUMBERED.finditer(folded):
        yield found[0].replace("-", ""), places[found.start()], places[found.end() - 1] + 1
