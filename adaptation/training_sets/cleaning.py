"""Rows that stand twice, and rows that an evaluation would be measured on: found, counted, taken out."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from adaptation.training_sets.facts import KnownQuestion
from adaptation.training_sets.rows import ChatRow, PairRow, Row, TextRow
from retrieval.analysis import analyze, normalize

_RUN = 13
"""Words in a row that a text shares with another one when it was copied (Brown et al., 2020, counted so for GPT-3)."""
_ALIKE = 0.9
"""Share of its content words that two questions have in common when they ask the same."""


def distinct(rows: Iterable[Row]) -> tuple[list[Row], int]:
    """Return rows of which none says the same as one before it, by case, width and space; and how many did."""
    kept: list[Row] = []
    seen: set[bytes] = set()
    names: Counter[str] = Counter()
    dropped = 0
    for row in rows:
        key = hashlib.blake2b(
            f"{_plain(row.question)}\0{_plain(row.answer)}".encode("utf-8", "surrogatepass")
        ).digest()
        if key in seen:
            dropped += 1
            continue
        seen.add(key)
        names[row.id] += 1
        again = names[row.id]
        kept.append(row if again == 1 else row.model_copy(update={"id": f"{row.id}#{again}"}))
    return kept, dropped


@dataclass(frozen=True, slots=True)
class Leakage:
    """What a training set shares with an evaluation: counts, and the ids of the rows that share it.

    `same` are rows that ask what is asked there, `alike` those that ask it in nearly the same words, `seen` those whose
    answer is learned from a document that is cited there, `copied` texts that share a run of words with a question.
    """

    evaluation: str
    questions: int
    same: tuple[str, ...] = ()
    alike: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
    copied: tuple[str, ...] = ()

    @property
    def rows(self) -> frozenset[str]:
        """The ids of all rows that share something."""
        return frozenset((*self.same, *self.alike, *self.seen, *self.copied))


class Evaluation:
    """The questions that something is measured on, to hold rows against."""

    def __init__(self, name: str, questions: Sequence[KnownQuestion], documents: Iterable[str] = ()) -> None:
        """Take it in.

        Args:
            name: of the file.
            questions: what is asked.
            documents: groups of rows that the questions are about; none leaves that out.
        """
        self.name = name
        self.count = len(questions)
        self.documents = frozenset(documents)
        self._same = {_plain(known.question) for known in questions}
        self._words = [frozenset(_content(known.question)) for known in questions]
        self._holders: dict[str, list[int]] = {}
        for place, words in enumerate(self._words):
            for word in words:
                self._holders.setdefault(word, []).append(place)
        self._runs = {run for known in questions for run in _runs(known.question)}

    def leakage(self, rows: Sequence[Row]) -> Leakage:
        """Return what rows share with the questions."""
        same, alike, seen, copied = [], [], [], []
        for row in rows:
            if isinstance(row, TextRow):
                if self._runs and not self._runs.isdisjoint(_runs(row.text)):
                    copied.append(row.id)
            else:
                asked = asked_of(row)
                if _plain(asked) in self._same:
                    same.append(row.id)
                elif self._is_alike(asked):
                    alike.append(row.id)
            if row.group in self.documents:
                seen.append(row.id)
        return Leakage(self.name, self.count, tuple(same), tuple(alike), tuple(seen), tuple(copied))

    def _is_alike(self, question: str) -> bool:
        words = frozenset(_content(question))
        if len(words) < 3:
            return False
        shared: Counter[int] = Counter()
        for word in words:
            shared.update(self._holders.get(word, ()))
        return any(
            count >= _ALIKE * len(words | self._words[place]) for place, count in shared.most_common(5)
        )


def asked_of(row: ChatRow | PairRow) -> str:
    """Return the question of a row without the passages before it and a form that is asked for behind it."""
    text = row.question
    for mark in ("\nQuestion: ", "\n質問："):
        if mark in text:
            text = text.rsplit(mark, 1)[1]
    return text.split("\n\n", 1)[0].strip()


def _plain(text: str) -> str:
    return " ".join(normalize(text).casefold().split())


def _content(text: str) -> list[str]:
    normalised = normalize(text)
    return [token.text for token in analyze(normalised) if token.is_content]


def _runs(text: str) -> set[str]:
    words = _content(text)
    return {" ".join(words[start : start + _RUN]) for start in range(len(words) - _RUN + 1)}
