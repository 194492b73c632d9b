"""Questions that a passage no longer answers, because one name, number or date was put in another's place.

So were the unanswerable questions of SQuAD 2.0 made by hand, among other ways (Rajpurkar, Jia and Liang, ACL 2018).
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from adaptation.span_reader.words import Word, words_of


@dataclass(frozen=True, slots=True)
class Changed:
    """A changed question, and the word that was put in."""

    question: str
    word: str


class QuestionChanger:
    """Changes questions by the names, numbers and dates of other questions."""

    def __init__(self, questions: Iterable[tuple[str, str]]) -> None:
        """Collect what can be put in.

        Args:
            questions: each with its language, `en` or `ja`.
        """
        bags: dict[tuple[str, str], set[str]] = {}
        for text, language in questions:
            for place, word in enumerate(words_of(text, language)):
                if kind := _kind(word, place, language):
                    bags.setdefault((language, kind), set()).add(word.text)
        self._bags = {key: sorted(texts) for key, texts in bags.items()}

    def change(self, question: str, language: str, passage: str, drawn: random.Random) -> Changed | None:
        """Change one thing that the passage of a question names; None where that cannot be done.

        What is put in stands nowhere in the passage.
        """
        places = [
            (word, kind)
            for word, kind in self._changeable(words_of(question, language), language)
            if word.text in passage
        ]
        if not places:
            return None
        word, kind = drawn.choice(places)
        new = [text for text in self._bags.get((language, kind), []) if text not in passage]
        if not new:
            return None
        put_in = drawn.choice(new)
        return Changed(question[: word.start] + put_in + question[word.end :], put_in)

    @staticmethod
    def _changeable(words: Sequence[Word], language: str) -> list[tuple[Word, str]]:
        kinds = [(word, _kind(word, place, language)) for place, word in enumerate(words)]
        return [(word, kind) for word, kind in kinds if kind]


def _kind(word: Word, place: int, language: str) -> str | None:
    """Return what a word of a question could be changed for; an English one at the beginning may be no name."""
    if place == 0 and language == "en":
        return None
    if word.number:
        return "number"
    if word.date:
        return "date"
    return "name" if word.name or word.person or word.place else None
