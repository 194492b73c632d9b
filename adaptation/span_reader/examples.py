"""What the reading model is trained on: questions with the passages that answer them, and with some that do not.

The latter are of two kinds, as in SQuAD 2.0 (Rajpurkar et al., ACL 2018): another passage of the same document, mostly
the one that shares the most words with the question; and the right passage under a question in which one name, number
or date was put in another's place, which the passage so no longer answers.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from adaptation.changed_questions import QuestionChanger
from adaptation.span_reader.words import words_of

_OTHERS = 0.6
"""The share of questions that are asked of another passage as well."""
_NEAREST = 0.6
"""The share of these that get the passage with the most words of the question."""
_CHANGED = 0.5
_LONG_TEXT = 4000
"""Characters from which on only a stretch around the answer is shown."""
_AROUND = (100, 500)
_LONGEST_ANSWER = 120


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with the text that answers it; `others` are texts of the same document that do not."""

    question: str
    answers: tuple[str, ...]
    text: str
    language: str
    group: str
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Example:
    """A question with a text; `spans` are its right answers there, none where it holds none.

    `kind` is `right`, `other` for another passage, `changed` for a changed question.
    """

    question: str
    text: str
    spans: tuple[tuple[int, int], ...]
    answers: tuple[str, ...]
    language: str
    group: str
    kind: str = "right"


def make_examples(asked: Sequence[Asked], *, seed: int) -> list[Example]:
    """Return examples in the order of the questions; what cannot be found in its text, or is long, is left out."""
    drawn = random.Random(seed)  # noqa: S311 - no secret
    changer = QuestionChanger((each.question, each.language) for each in asked)
    found: list[Example] = []
    for each in asked:
        right = _right(each, drawn)
        if right is None:
            continue
        found.append(right)
        if each.others and drawn.random() < _OTHERS:
            found.append(replace(right, text=_other(each, drawn), spans=(), answers=(), kind="other"))
        if drawn.random() < _CHANGED and (
            changed := changer.change(each.question, each.language, each.text, drawn)
        ):
            found.append(replace(right, question=changed.question, spans=(), answers=(), kind="changed"))
    return found


def _right(each: Asked, drawn: random.Random) -> Example | None:
    """Return the example of the right text, or of the stretch of a long one in which the answer stands once."""
    text, held = each.text, [answer for answer in each.answers if answer.strip() and answer in each.text]
    if not held or min(map(len, held)) > _LONGEST_ANSWER:
        return None
    if len(text) > _LONG_TEXT:
        if text.count(held[0]) != 1:
            return None
        start = text.index(held[0])
        end = start + len(held[0]) + drawn.randint(*_AROUND)
        text = text[max(0, start - drawn.randint(*_AROUND)) : end]
        held = held[:1]
    spans = tuple((text.index(answer), text.index(answer) + len(answer)) for answer in held)
    return Example(each.question, text, spans, each.answers, each.language, each.group)


def _other(each: Asked, drawn: random.Random) -> str:
    """Return another text of the document, or a stretch of one that is long."""
    text = drawn.choice(each.others)
    if drawn.random() < _NEAREST:
        keys = {word.key for word in words_of(each.question, each.language) if word.kind != "mark"}
        text = max(each.others, key=lambda other: _held(keys, other.lower()))
    start = drawn.randrange(max(1, len(text) - sum(_AROUND)))
    return text if len(text) <= _LONG_TEXT else text[start : start + 2 * _AROUND[1]]


def _held(keys: set[str], text: str) -> int:
    return sum(key in text for key in keys)
