"""What a model of the lab is asked, to see what a change did to its answers: the test rows of a training set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from adaptation.lab.figures import Answering, Judge
from adaptation.training_sets.rows import FILES, ChatRow, TextRow, read_rows
from evaluation.adapters.comparing import load_general
from evaluation.adapters.judging import FIGURES, judge


def judge_of(data: Path, *, most: int) -> Judge | None:
    """Return what asks a model the test rows of a set and judges each answer; None where it has no such rows.

    Args:
        data: folder of the set.
        most: rows, the first ones, which stand in random order.

    Raises:
        UsageError: the rows are broken.
    """
    path = data / "test" / FILES[ChatRow]
    rows = [row for row in read_rows(path, ChatRow) if judge(row, "")][:most] if path.is_file() else []
    if not rows:
        return None

    def ask(answer: Answering) -> Mapping[str, Sequence[float]]:
        found: dict[str, list[float]] = {}
        for row in rows:
            text = answer([message.model_dump() for message in row.messages[:-1]])
            for name, value in judge(row, text).items():
                found.setdefault(name, []).append(value)
        return {name: found[name] for name in FIGURES if name in found}

    return ask


def held_out_texts(data: Path | None, *, most: int = 32) -> list[str]:
    """Return texts to take perplexities of: a set's own test texts or answers, general ones where it has none.

    Raises:
        UsageError: the rows are broken.
    """
    if data is not None:
        texts, chats = data / "test" / FILES[TextRow], data / "test" / FILES[ChatRow]
        if texts.is_file() and (found := [row.text for row in read_rows(texts, TextRow)][:most]):
            return found
        if chats.is_file() and (
            found := [f"{row.question} {row.answer}" for row in read_rows(chats, ChatRow)][:most]
        ):
            return found
    return load_general()[1][:most]
