"""The rows of a training set as what a model of the lab is asked, and what its answers are worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from adaptation.lab.figures import Answering, Judge
from adaptation.lab.held_rows import plain_rows, texts_of
from adaptation.training_sets.card import check_set
from adaptation.training_sets.rows import ChatRow
from evaluation.adapters.command import measured_rows
from evaluation.adapters.judging import judge
from retrieval.errors import UsageError

_PARTS = ("test", "held_out")
_MOST_TEXTS = 40


def set_judge(data: Path, *, most: int = 40, seed: int = 0) -> tuple[Judge | None, list[str]]:
    """Return what asks a model the rows of a set that nothing was learned from, and texts of that part.

    The part is `test`, or where it holds nothing `held_out`. A set of texts, or of chats of which nothing can be said,
    has no judge.

    Args:
        data: folder of the set.
        most: rows; 0 takes all.
        seed: decides which.

    Raises:
        UsageError: the set is none, or both parts hold nothing.
    """
    check_set(data)
    part = next((each for each in _PARTS if plain_rows(data, each)), _PARTS[0])
    said = texts_of(data, part, most=_MOST_TEXTS)
    if not said:
        raise UsageError(f"{data} holds no rows to measure on: make the set of more documents")
    rows = [row for row in plain_rows(data, part) if isinstance(row, ChatRow) and judge(row, "")]
    if not rows:
        return None, said
    rows, _ = measured_rows(data, part, most, seed=seed)

    def asked(answering: Answering) -> Mapping[str, Sequence[float]]:
        found: dict[str, list[float]] = {}
        for row in rows:
            text = answering([message.model_dump() for message in row.messages[:-1]])
            for name, value in judge(row, text).items():
                found.setdefault(name, []).append(value)
        return found

    return asked, said
