"""Rows without a search: question and answer alone, questions of a class, and plain text of the domain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from adaptation.training_sets.facts import KnownQuestion
from adaptation.training_sets.rows import ChatRow, Kind, Message, TextRow

_CLASSES = {
    "en": "Read the text and answer the question with one word: {classes}.",
    "ja": "文章を読み、質問に {classes} のどれか一語で答えてください。",
}
_LABELS = {"en": ("Text:", "Question: "), "ja": ("文章：", "質問：")}
_LEAST_TEXT = 40
"""Characters of a passage that is worth learning as text."""


class Piece(Protocol):
    """A passage of an index as material."""

    @property
    def id(self) -> int: ...  # noqa: D102
    @property
    def group(self) -> int: ...  # noqa: D102
    @property
    def whole(self) -> str: ...  # noqa: D102


def pair_row(known: KnownQuestion, group: str, source: str) -> ChatRow | None:
    """Return a question with its answer and nothing else; None where there is no answer to learn."""
    if not known.answerable or not known.answers:
        return None
    return _row(known, "qa", group, source, known.question, known.answers[0], detail="pair")


def class_row(
    known: KnownQuestion, text: str, classes: Sequence[str], group: str, source: str
) -> ChatRow | None:
    """Return a question over its text whose answer is a class, such as yes, no or maybe; None without one.

    Args:
        known: the question, with its class as `label`.
        text: that the question is about.
        classes: all there are.
        group: of the row.
        source: of the row.
    """
    if not known.label:
        return None
    asked, system = class_prompt(known.question, known.language, text, classes)
    return _row(known, "qa", group, source, asked, known.label, detail="class", system=system)


def class_prompt(question: str, language: str, text: str, classes: Sequence[str]) -> tuple[str, str]:
    """Return what the user and the system say where a question is to be answered by a class."""
    system = _CLASSES.get(language, _CLASSES["en"]).format(classes=", ".join(classes))
    head, asks = _LABELS.get(language, _LABELS["en"])
    return f"{head}\n{text}\n\n{asks}{question}", system


def text_rows(
    pieces: Sequence[Piece], groups: Mapping[int, str], languages: Mapping[int, str], source: str
) -> Iterator[TextRow]:
    """Yield passages as texts, each under its title and headings.

    Args:
        pieces: the passages.
        groups: names of the groups that are of this part; others are left out.
        languages: of the passages, by their ids.
        source: of the rows.
    """
    for piece in pieces:
        text = piece.whole.strip()
        if piece.group in groups and len(text) >= _LEAST_TEXT:
            yield TextRow(
                id=f"passage:{piece.id}",
                language=languages.get(piece.id, "en"),
                group=groups[piece.group],
                source=source,
                text=text,
            )


def _row(
    known: KnownQuestion,
    kind: Kind,
    group: str,
    source: str,
    asked: str,
    answer: str,
    *,
    detail: str,
    system: str = "",
) -> ChatRow:
    messages = [Message(role="user", content=asked), Message(role="assistant", content=answer)]
    if system:
        messages.insert(0, Message(role="system", content=system))
    return ChatRow(
        id=f"{known.id}:{detail}",
        kind=kind,
        language=known.language,
        group=group,
        source=source,
        detail=detail,
        messages=tuple(messages),
    )
