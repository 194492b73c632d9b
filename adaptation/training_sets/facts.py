"""What is known of a question, and which passages hold its answer."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Protocol

from ingest.sentences import split_sentences
from retrieval.records import Passage

_LONGEST_SENTENCE = 400
_SHORTEST_TOLD_BY_WORDS = 2
"""Characters of an answer from which on a passage that has them is taken to hold it."""


class Place(Protocol):
    """Where an answer stands: character offsets into the text of a document."""

    @property
    def document(self) -> str: ...  # noqa: D102
    @property
    def start(self) -> int: ...  # noqa: D102
    @property
    def end(self) -> int: ...  # noqa: D102


class KnownQuestion(Protocol):
    """A question with what is known of its answer; the questions of an evaluation are such.

    `answers` are texts that are right, `places` documents with their pages, `spans` where the answer stands, `where`
    filters of the search, `label` a class such as yes or no; an unanswerable question has `answerable` false.
    """

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def language(self) -> str: ...  # noqa: D102
    @property
    def question(self) -> str: ...  # noqa: D102
    @property
    def answers(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def answerable(self) -> bool: ...  # noqa: D102
    @property
    def places(self) -> tuple[tuple[str, int | None], ...]: ...  # noqa: D102
    @property
    def spans(self) -> Sequence[Place]: ...  # noqa: D102
    @property
    def label(self) -> str | None: ...  # noqa: D102
    @property
    def where(self) -> tuple[str, ...]: ...  # noqa: D102


def plain(text: str) -> str:
    """Return a text without differences of width, case and white space, by which an answer is looked for."""
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def mentions(text: str, answers: Sequence[str]) -> bool:
    """Tell whether a text has the words of one of several answers."""
    held = plain(text)
    wanted = [plain(answer) for answer in answers]
    return any(len(answer) >= _SHORTEST_TOLD_BY_WORDS and answer in held for answer in wanted)


def holds_answer(known: KnownQuestion, passage: Passage) -> bool:
    """Tell whether a passage is the evidence of a question: it is of an expected place and has the answer.

    Where the place is known to the character, that counts; else the words of an answer in an expected document.
    """
    here = [span for span in known.spans if span.document == passage.document]
    if here:
        return any(passage.start <= span.start and span.end <= passage.end for span in here)
    if known.places and all(document != passage.document for document, _ in known.places):
        return False
    return mentions(passage.text, known.answers)


def might_hold_answer(known: KnownQuestion, passage: Passage) -> bool:
    """Tell whether a passage could answer a question, so that it must not stand where a refusal is right."""
    expected = {(document, page) for document, page in known.places}
    same_place = any(
        document == passage.document and (page is None or passage.page is None or page == passage.page)
        for document, page in expected
    )
    if known.spans or any(page is not None for _, page in expected):
        return same_place or mentions(passage.text, known.answers)
    return holds_answer(known, passage) or mentions(passage.text, known.answers)


def sentence_with(text: str, answers: Sequence[str]) -> str | None:
    """Return the first sentence of a text that has an answer's words, in one line; None for none, or a long one."""
    for start, end in split_sentences(text):
        sentence = " ".join(text[start:end].split())
        if mentions(sentence, answers):
            return sentence if len(sentence) <= _LONGEST_SENTENCE else None
    return None
