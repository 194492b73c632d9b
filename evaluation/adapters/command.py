"""What `tekio evaluate adapter` does: an adapter and a training set's held-out rows in, a report out."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

from adaptation.training_sets.card import check_set
from adaptation.training_sets.rows import ChatRow, TextRow, read_rows
from evaluation.adapters.comparing import Report, compare_adapter
from evaluation.adapters.judging import judge
from kernel.chat.language_model import LanguageModel
from kernel.model_store import ModelStore
from kernel.settings import Settings
from retrieval.errors import UsageError

PARTS = ("test", "held_out", "train")
_MOST_TEXTS = 40


def measured_rows(data: Path, part: str, most: int, *, seed: int = 0) -> tuple[list[ChatRow], list[TextRow]]:
    """Return rows of a part of a training set that something can be said of, of each kind as many, and its texts.

    Args:
        data: folder of the set.
        part: `test`, `held_out` or `train`.
        most: rows; 0 takes all.
        seed: decides which.

    Raises:
        UsageError: the set is none, or the part holds nothing to measure on.
    """
    if part not in PARTS:
        raise UsageError(f"a set has the parts {', '.join(PARTS)}, not '{part}'")
    check_set(data)
    chats, texts = data / part / "chat.jsonl", data / part / "text.jsonl"
    rows = [row for row in read_rows(chats, ChatRow) if judge(row, "")] if chats.is_file() else []
    held = read_rows(texts, TextRow)[:_MOST_TEXTS] if texts.is_file() else []
    if not rows and not held:
        raise UsageError(
            f"the part {part} of {data} holds nothing to measure on: make the set with more documents"
        )
    return _even(rows, most, seed), held


def _even(rows: Sequence[ChatRow], most: int, seed: int) -> list[ChatRow]:
    """Return some of the rows, the kinds in turn."""
    drawn = random.Random(seed)  # noqa: S311 - no secret
    kinds: dict[str, list[ChatRow]] = {}
    for row in rows:
        kinds.setdefault(f"{row.kind}:{row.detail if row.kind == 'refusal' else ''}", []).append(row)
    for each in kinds.values():
        drawn.shuffle(each)
    chosen: list[ChatRow] = []
    while any(kinds.values()) and (not most or len(chosen) < most):
        for each in kinds.values():
            if each and (not most or len(chosen) < most):
                chosen.append(each.pop())
    return chosen


def evaluate_adapter(
    settings: Settings,
    adapter: Path,
    data: Path,
    *,
    part: str = "test",
    most: int = 60,
    seed: int = 0,
    say: Callable[[str], None] = lambda text: None,
) -> Report:
    """Measure an adapter against its base, on rows that nothing was learned from.

    Raises:
        UsageError: the adapter does not fit the base, or the set is none.
    """
    rows, texts = measured_rows(data, part, most, seed=seed)
    base = ModelStore(settings.cache, offline=settings.offline, on_message=say).resolve(settings.generator)
    model = LanguageModel(base.name, base.folder, dtype=settings.dtype, threads=settings.threads)
    return compare_adapter(model, model.load_adapter(adapter), rows, texts, say=say)
