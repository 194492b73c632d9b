"""A conversation within a budget of tokens: the newest turns whole, the older ones in short.

Turns are counted from the newest on until the budget is full, so that a thousand of them cost no more than those that
fit. What is left of the budget for the older ones is filled from the newest of these on, with each question and what
its answer cited, or its first sentence; what does not fit is told by its number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ingest.sentences import split_sentences
from kernel.conversation.history import PastTurn

CountTokens = Callable[[Sequence[str]], Sequence[int]]
"""Gives the tokens of texts."""

_SHARE_OF_OLDER = 0.3
_CITED = re.compile(r"\s*[\[［【]\s*\d+(?:\s*[,、]\s*\d+)*\s*[\]］】]")
_LONGEST_LINE = 400
_MOST_OLDER = 200
"""Older turns that are looked at for the short version."""


@dataclass(frozen=True, slots=True)
class Context:
    """What is kept of a conversation: `turns` whole, `older` in short; `left_out` turns are in neither."""

    turns: tuple[PastTurn, ...]
    older: tuple[PastTurn, ...]
    summary: str
    left_out: int
    tokens: int

    def text(self, language: str) -> str:
        """Return it as a prompt shows it."""
        question, answer = ("質問：", "回答：") if language == "ja" else ("Question: ", "Answer: ")
        lines = [self.summary] if self.summary else []
        for turn in self.turns:
            lines.append(question + (turn.asked or turn.question))
            if turn.answer:
                lines.append(answer + turn.answer)
        return "\n".join(lines)


def fit(history: Sequence[PastTurn], count: CountTokens, *, budget: int) -> Context:
    """Return a conversation within a budget of tokens.

    Args:
        history: oldest first.
        count: by the tokenizer of the model that reads it.
        budget: the most tokens.
    """
    kept, tokens, whole = _newest(history, count, budget)
    if whole:
        return Context(tuple(kept), (), "", 0, tokens)
    room = int(budget * _SHARE_OF_OLDER)
    kept, tokens, _ = _newest(history, count, budget - room)
    if not kept:  # one turn that is longer than the budget: in short too
        room = budget
    older = history[: len(history) - len(kept)]
    lines, used, size = in_short(older[-_MOST_OLDER:], count, room)
    return Context(tuple(kept), tuple(older), "\n".join(lines), len(older) - used, tokens + size)


def _newest(history: Sequence[PastTurn], count: CountTokens, budget: int) -> tuple[list[PastTurn], int, bool]:
    kept: list[PastTurn] = []
    tokens = 0
    for turn in reversed(history):
        size = sum(count([turn.asked or turn.question, turn.answer]))
        if tokens + size > budget:
            return kept[::-1], tokens, False
        kept.append(turn)
        tokens += size
    return kept[::-1], tokens, True


def in_short(older: Sequence[PastTurn], count: CountTokens, room: int) -> tuple[list[str], int, int]:
    """Return lines of questions with what was cited for each, oldest first; how many turns and tokens they are."""
    lines: list[str] = []
    tokens = 0
    for turn in reversed(older):
        line = f"- {turn.asked or turn.question} {gist(turn.answer)}".strip()[: 2 * _LONGEST_LINE]
        size = sum(count([line]))
        if tokens + size > room:
            break
        lines.append(line)
        tokens += size
    return lines[::-1], len(lines), tokens


def gist(answer: str) -> str:
    """Return the sentence of an answer that cites something, or its first."""
    start = answer[: 4 * _LONGEST_LINE]
    sentences = [start[begin:end] for begin, end in split_sentences(start)]
    chosen = next((each for each in sentences if _CITED.search(each)), sentences[0] if sentences else "")
    return without_markers(chosen)[:_LONGEST_LINE]


def without_markers(text: str) -> str:
    """Return an answer without the markers of its passages, which mean nothing in another answer."""
    return _CITED.sub("", text).strip()
