"""The places of the passages that may support a sentence, and the best of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from kernel.answering.claims.check import MEANT, Claim, Evidence, Reason, Verdict, judge
from kernel.answering.evidence import InverseFrequencies, Sentence, context_words, passage_sentences
from kernel.answering.support import weighted_share
from retrieval.records import Passage, context_of

Likeness = Callable[[str, Sequence[tuple[str, Sequence[tuple[int, int]]]]], Sequence[float]]
"""Tells how well each of some texts says, by others, the words of a claim that it lacks, given as spans."""
Reader = Callable[[str, Sequence[str]], Sequence[tuple[float, float]]]
"""Tells for each text how likely it says what a sentence claims, and how likely it denies it."""

ALIKE = 0.62
"""The likeness from which other words say the same: between those of data/claims/dev that do and that do not."""
_NEAREST = 8
"""Places that are looked at for their meaning."""
_APART = 6
"""Most characters of white space between neighbouring sentences that support a claim together."""
_SURE = 0.5
_DENIED = 0.8


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found for a sentence: the place that supports it or contradicts it, none where neither is there."""

    verdict: Verdict
    window: tuple[Sentence, ...] = ()


@dataclass(frozen=True)
class _Place:
    """One sentence of a passage, or two that follow one another."""

    sentences: tuple[Sentence, ...]
    evidence: Evidence
    number: int


@dataclass
class Source:
    """The passages of an answer, prepared for the check of its sentences."""

    passages: Sequence[Passage]
    inverse_frequencies: InverseFrequencies
    question: str
    threshold: float
    likeness: Likeness | None = None
    reader: Reader | None = None
    _places: list[_Place] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Find the places."""
        self._places = list(self._all_places())

    def _all_places(self) -> Iterator[_Place]:
        sentences = [item for item in passage_sentences(self.passages) if not item.is_heading]
        contexts = [context_words(passage) for passage in self.passages]
        for number, sentence in enumerate(sentences):
            windows = [(sentence,)]
            following = sentences[number + 1] if number + 1 < len(sentences) else None
            # What stands between two sentences may have been blanked out, and is not to be quoted with them.
            if (
                following
                and following.passage == sentence.passage
                and following.start - sentence.end <= _APART
            ):
                windows.append((sentence, following))  # type: ignore[arg-type]
            passage = self.passages[sentence.passage]
            for window in windows:
                evidence = Evidence(
                    text=" ".join(item.text for item in window),
                    words=frozenset().union(*(item.words for item in window)),
                    context=contexts[sentence.passage],
                    around=passage.text,
                    heading=context_of(passage.title, passage.headings),
                )
                yield _Place(window, evidence, number)

    def find(self, sentence: str, markers: Sequence[int]) -> Finding:
        """Return the place that supports a sentence best, those of marked passages first; else what contradicts it."""
        claim = Claim(sentence, self.question)
        weights = self.inverse_frequencies(list({token.text for token in claim.tokens}))
        judged = [
            (place, judge(claim, place.evidence, weights, threshold=self.threshold)) for place in self._places
        ]
        if self.reader is not None:
            judged = self._read(claim, judged, self.reader)
        elif self.likeness is not None and not any(verdict.is_supported for _, verdict in judged):
            judged = self._by_meaning(claim, self.likeness) or judged
        return _best(judged, markers)

    def _by_meaning(self, claim: Claim, likeness: Likeness) -> list[tuple[_Place, Verdict]]:
        """Judge the places that share most words once more, by what stands there for the words that they lack."""
        idf = self.inverse_frequencies(list({token.text for token in claim.tokens}))
        words = {token.text for token in claim.tokens if token.is_content}
        held = [place.evidence.words | place.evidence.context for place in self._places]
        shares = [weighted_share(words, each, idf) for each in held]
        nearest = sorted(range(len(shares)), key=lambda number: -shares[number])[:_NEAREST]
        nearest = [number for number in nearest if shares[number] >= MEANT]
        chosen = [self._places[number] for number in nearest]
        lacking = [
            [
                (token.start, token.end)
                for token in claim.tokens
                if token.is_content and token.text not in held[number]
            ]
            for number in nearest
        ]
        texts = [(place.evidence.text, spans) for place, spans in zip(chosen, lacking, strict=True)]
        alike = likeness(claim.plain, texts) if texts else []
        return [
            (place, judge(claim, place.evidence, idf, likeness=value, alike=ALIKE, threshold=self.threshold))
            for place, value in zip(chosen, alike, strict=True)
        ]

    def _read(
        self, claim: Claim, judged: list[tuple[_Place, Verdict]], reader: Reader
    ) -> list[tuple[_Place, Verdict]]:
        """Have the model read the nearest places; what is exact, no model can overrule."""
        nearest = sorted(judged, key=lambda pair: -pair[1].score)[:_NEAREST]
        read = reader(
            claim.plain, [f"{place.evidence.heading}\n{place.evidence.text}" for place, _ in nearest]
        )
        found = []
        for (place, verdict), (says, denies) in zip(nearest, read, strict=True):
            reason = verdict.reason
            if reason is Reason.WORDS and says >= _SURE:
                reason = judge(claim, place.evidence, {}, likeness=1.0, alike=0.0, threshold=2.0).reason
            elif reason is Reason.NONE and (says < _SURE or denies >= _DENIED):
                reason = Reason.MODEL if denies >= _DENIED else Reason.WORDS
            found.append((place, Verdict(max(verdict.score, says), reason)))
        return found


def _best(judged: Sequence[tuple[_Place, Verdict]], markers: Sequence[int]) -> Finding:
    def order(pair: tuple[_Place, Verdict]) -> tuple[bool, bool, float, int, int]:
        place, verdict = pair
        # A marker that holds is kept; then the best support, the shorter quote, the better passage.
        marked = place.sentences[0].passage in markers
        return (verdict.is_supported, marked, verdict.score, -len(place.sentences), -place.number)

    if not judged:
        return Finding(Verdict(0.0, Reason.WORDS))
    place, verdict = max(judged, key=order)
    if verdict.is_supported:
        return Finding(verdict, place.sentences)
    contrary = [pair for pair in judged if pair[1].is_contradiction]
    if contrary:
        place, verdict = max(contrary, key=order)
        return Finding(verdict, place.sentences if verdict.reason is not Reason.NAME else ())
    return Finding(Verdict(max(verdict.score for _, verdict in judged), Reason.WORDS))
