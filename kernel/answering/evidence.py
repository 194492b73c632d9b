"""The sentences of passages: what an answer may quote, and what its sentences are checked against."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from ingest.sentences import split_sentences
from retrieval.analysis import Token, analyze
from retrieval.records import Passage, context_of

InverseFrequencies = Callable[[Sequence[str]], Mapping[str, float]]

_HEADING_MARKS = re.compile(r"^[#\s]+|[#\s]+$")
_TABLE_RULE = re.compile(r"[\s|:+=-]+")


@dataclass(frozen=True)
class Sentence:
    """A sentence, list item or table row of a passage; `start` and `end` are offsets into the document."""

    passage: int
    document_id: int
    start: int
    end: int
    text: str
    is_heading: bool

    @cached_property
    def tokens(self) -> list[Token]:
        """The search tokens of the sentence."""
        return list(_analyzed(self.text))

    @cached_property
    def words(self) -> frozenset[str]:
        """The distinct tokens of the sentence."""
        return frozenset(token.text for token in self.tokens)


@lru_cache(maxsize=4096)
def _analyzed(sentence: str) -> tuple[Token, ...]:
    """Return a sentence's tokens; keeps those of the last ones, which are ranked, counted and checked against."""
    return tuple(analyze(sentence))


def words_of(text: str) -> frozenset[str]:
    """Return the distinct tokens of a text, sentence by sentence."""
    return frozenset(
        token.text for start, end in split_sentences(text) for token in _analyzed(text[start:end])
    )


def passage_sentences(passages: Sequence[Passage]) -> list[Sentence]:
    """Return the sentences of passages in order, each place of a document once.

    `Sentence.passage` is the index of the first passage that holds it.
    """
    seen: set[tuple[int, int, int]] = set()
    found: list[Sentence] = []
    for number, passage in enumerate(passages):
        headings = {heading.casefold() for heading in (*passage.headings, passage.title)}
        for start, end in split_sentences(passage.text):
            text = passage.text[start:end]
            place = (passage.document_id, passage.start + start, passage.start + end)
            if place in seen or _TABLE_RULE.fullmatch(text):
                continue
            seen.add(place)
            is_heading = text.startswith("#") or _HEADING_MARKS.sub("", text).casefold() in headings
            found.append(Sentence(number, *place, text, is_heading))
    return found


def context_words(passage: Passage) -> frozenset[str]:
    """Return the tokens of a passage's title and headings, which its sentences take for granted."""
    return frozenset(token.text for token in analyze(context_of(passage.title, passage.headings)))


def answer_sentences(text: str) -> list[str]:
    """Split an answer into sentences. Markers behind a full stop stay with the sentence they follow."""
    text = _LATE_MARKERS.sub(r" \2\1", text)
    return [text[start:end] for start, end in split_sentences(text)]


# "It is 5 °C. [1]" becomes "It is 5 °C [1]."
_LATE_MARKERS = re.compile(r"([.。！？!?]+)\s*((?:\s?[\[［【]\s*\d+(?:\s*[,、]\s*\d+)*\s*[\]］】])+)")
