"""The rows of a training set as what a model of the lab is asked, and what its answers are worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from adaptation.lab.figures import Answering, Judge
from evaluation.adapters.command import measured_rows
from evaluation.adapters.judging import judge

_PARTS = ("test", "held_out")


def set_judge(data: Path, *, most: int = 40, seed: int = 0) -> tuple[Judge | None, list[str]]:
    """Return what asks a model the rows of a set that nothing was learned from, and texts of that part.

    The part is `test`, or where it holds nothing `held_out`. A set of texts alone has no rows to ask, and no judge.

    Args:
        data: folder of the set.
        most: rows; 0 takes all.
        seed: decides which.

    Raises:
        UsageError: the set is none, or both parts hold nothing to measure on.
    """
    part = next((each for each in _PARTS if any((data / each).glob("*.jsonl"))), _PARTS[0])
    rows, texts = measured_rows(data, part, most, seed=seed)
    said = [row.text for row in texts] or [row.answer for row in rows]
    if not rows:
        return None, said

    def asked(answering: Answering) -> Mapping[str, Sequence[float]]:
        found: dict[str, list[float]] = {}
        for row in rows:
            text = answering([message.model_dump() for message in row.messages[:-1]])
            for name, value in judge(row, text).items():
                found.setdefault(name, []).append(value)
        return found

    return asked, said
