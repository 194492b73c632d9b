"""Questions made of an index's own passages, for where nobody has written any.

Each asks, by its key words, for one sentence that states something countable or named: a figure, a date, a name. What
is asked for is left out of the question, so that the sentence must be found and read. They are plainer than people's
own, and teach where an answer stands and when there is none, not how people ask.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from adaptation.span_reader.words import Word, words_of
from ingest.sentences import split_sentences

_SHORTEST, _LONGEST = 20, 260
_LEAST_WORDS, _MOST_WORDS = 3, 9
_ASKS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "en": {
        "number": (
            "How many or how much: {words}?",
            "What figure is given for {words}?",
            "{words}: what is the value?",
        ),
        "date": ("When: {words}?", "What date or time is given for {words}?", "{words}: when?"),
        "name": ("Who or what is named for {words}?", "Which one: {words}?", "What is said about {words}?"),
    },
    "ja": {
        "number": (
            "{words}の値はいくつですか。",
            "{words}はどれくらいですか。",
            "{words}について示されている数値は何ですか。",
        ),
        "date": ("{words}はいつですか。", "{words}の時期はいつですか。"),
        "name": ("{words}について何と書かれていますか。", "{words}は何ですか。"),
    },
}


class Passage(Protocol):
    """A passage to make questions of."""

    @property
    def id(self) -> int: ...  # noqa: D102
    @property
    def text(self) -> str: ...  # noqa: D102
    @property
    def title(self) -> str: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Place:
    """Where an answer stands in the text of its document."""

    document: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class MadeUp:
    """A made-up question; in the form of `KnownQuestion`."""

    id: str
    language: str
    question: str
    answers: tuple[str, ...]
    places: tuple[tuple[str, int | None], ...]
    spans: tuple[Place, ...] = ()
    answerable: bool = True
    label: str | None = None
    where: tuple[str, ...] = ()


def make_up(passage: Passage, document: str, language: str, *, most: int, seed: int) -> list[MadeUp]:
    """Return questions that a passage answers, `most` at most, chosen by the seed.

    Args:
        passage: its text is asked about.
        document: that it is of.
        language: `en` or `ja`; of another no questions are made.
        most: how many.
        seed: decides which.
    """
    if language not in _ASKS:
        return []
    drawn = random.Random(f"{seed}:{passage.id}")  # noqa: S311 - no secret
    made = list(_questions(passage, document, language, drawn))
    drawn.shuffle(made)
    return made[:most]


def _questions(passage: Passage, document: str, language: str, drawn: random.Random) -> Iterator[MadeUp]:
    for number, (start, end) in enumerate(split_sentences(passage.text)):
        sentence = passage.text[start:end].strip()
        if not _SHORTEST <= len(sentence) <= _LONGEST or sentence.endswith(("?", "？", ":", "：")):
            continue
        words = words_of(sentence, language)
        asked = [(kind, word) for place, word in enumerate(words) if (kind := _kind(word, place))]
        if not asked:
            continue
        kind, answer = drawn.choice(asked)
        words_asked = _key_words(words, answer)
        if len(words_asked) < _LEAST_WORDS:
            continue
        shown = ("、" if language == "ja" else " ").join(words_asked)
        ask = drawn.choice(_ASKS[language][kind])
        yield MadeUp(
            id=f"made:{passage.id}:{number}",
            language=language,
            question=ask.format(words=shown),
            answers=(_around(sentence, answer),),
            places=((document, None),),
        )


def _kind(word: Word, place: int) -> str | None:
    if word.kind not in ("content", "verb") or place == 0:
        return None
    if word.date:
        return "date"
    if word.number:
        return "number"
    return "name" if word.name else None


def _key_words(words: Sequence[Word], answer: Word) -> list[str]:
    """Return the words that a sentence is known by, in their order, without its figures and what is asked for."""
    kept = [
        word.text
        for word in words
        if word.kind == "content" and not word.number and not word.date and word.key != answer.key
    ]
    return list(dict.fromkeys(kept))[:_MOST_WORDS]


def _around(sentence: str, answer: Word) -> str:
    """Return what is asked for with its unit: to the next space, or the characters that go on without one."""
    end = answer.end
    while end < len(sentence) and (
        sentence[end] in "%％°℃" or (sentence[end].isalnum() and sentence[end - 1].isalnum())
    ):
        end += 1
        if end - answer.end > 6:
            break
    return sentence[answer.start : end]
