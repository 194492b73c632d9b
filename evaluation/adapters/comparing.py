"""Base and adapter over the same rows: figures, how likely they find texts, and what they forgot."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from adaptation.training_sets.rows import ChatRow, TextRow
from evaluation.adapters.judging import FIGURES, Scores, judge
from kernel.chat.chat_tokens import ChatTokenizer
from kernel.chat.generation import Sampling
from kernel.chat.language_model import LanguageModel
from kernel.comparison import before_and_after

GENERAL = Path(__file__).parents[2] / "data" / "general"
_NEW_TOKENS = 96
_WORSE_INSTRUCTIONS = 0.02
_WORSE_PERPLEXITY = 0.05
"""How much worse general instructions (points) and general texts (share) may become."""
_MOST_TEXT = 512
"""Tokens of a text whose perplexity is taken."""


class Change(BaseModel):
    """A figure of base and adapter over the same rows; intervals are of 95 %."""

    model_config = ConfigDict(frozen=True)

    label: str
    rows: int
    better: int = Field(description="1 where more is better, -1 where less is")
    before: float
    before_interval: tuple[float, float]
    after: float
    after_interval: tuple[float, float]
    difference: float
    difference_interval: tuple[float, float]
    p_value: float

    @property
    def verdict(self) -> str:
        """`better`, `worse` or `alike`, beyond chance."""
        low, high = self.difference_interval
        if low > 0 or high < 0:
            return "better" if (self.difference > 0) == (self.better > 0) else "worse"
        return "alike"


class Report(BaseModel):
    """What an adapter changed. Perplexities are of base and adapter, over the same texts."""

    model_config = ConfigDict(frozen=True)

    figures: dict[str, Change]
    domain_perplexity: tuple[float, float] | None = None
    general_perplexity: tuple[float, float]
    recommended: bool
    reasons: list[str]
    rows: list[dict[str, Any]] = Field([], description="every row with both answers")


@dataclass(frozen=True, slots=True)
class Instruction:
    """A general instruction, and a pattern of what follows it."""

    id: str
    ask: str
    accept: str


def load_general(folder: Path = GENERAL) -> tuple[list[Instruction], list[str]]:
    """Return the instructions and texts by which forgetting is seen."""
    lines = (folder / "instructions.jsonl").read_text(encoding="utf-8").splitlines()
    texts = (folder / "texts.jsonl").read_text(encoding="utf-8").splitlines()
    return [Instruction(**json.loads(line)) for line in lines], [json.loads(line)["text"] for line in texts]


def compare_adapter(
    model: LanguageModel,
    adapter: str,
    rows: Sequence[ChatRow],
    texts: Sequence[TextRow] = (),
    *,
    say: Callable[[str], None] = lambda text: None,
) -> Report:
    """Ask base and adapter the same, and compare them.

    Args:
        model: the base.
        adapter: a name from `LanguageModel.load_adapter`.
        rows: that nothing was learned from.
        texts: of the domain, that nothing was learned from.
        say: is told how it goes.
    """
    instructions, general = load_general()
    asked = [row for row in rows if judge(row, "")]
    ways: dict[str | None, list[Scores]] = {None: [], adapter: []}
    answers: dict[str | None, list[str]] = {None: [], adapter: []}
    total = len(asked) + len(instructions)
    for way in ways:
        name = "base" if way is None else "tuned"
        for done, row in enumerate(asked, start=1):
            text = _answer(model, [message.model_dump() for message in row.messages[:-1]], way)
            ways[way].append(judge(row, text))
            answers[way].append(text)
            if done % 20 == 0:
                say(f"{name}: {done:,} of {total:,} rows")
        for each in instructions:
            text = _answer(model, [{"role": "user", "content": each.ask}], way)
            followed = bool(re.search(each.accept, text, re.IGNORECASE | re.DOTALL))
            ways[way].append({"instruction": float(followed)})
            answers[way].append(text)
    figures = changes(ways[None], ways[adapter])
    perplexities = _perplexities(model, adapter, general)
    domain = _perplexities(model, adapter, [row.text for row in texts]) if texts else None
    recommended, reasons = verdict(figures, perplexities)
    names = [row.id for row in asked] + [each.id for each in instructions]
    return Report(
        figures=figures,
        domain_perplexity=domain,
        general_perplexity=perplexities,
        recommended=recommended,
        reasons=reasons,
        rows=[
            {"id": name, "base": before, "tuned": after}
            for name, before, after in zip(names, answers[None], answers[adapter], strict=True)
        ],
    )


def changes(before: Sequence[Scores], after: Sequence[Scores]) -> dict[str, Change]:
    """Return every figure that rows have, of both over the same rows."""
    found: dict[str, Change] = {}
    for name, figure in FIGURES.items():
        pairs = [(one[name], other[name]) for one, other in zip(before, after, strict=True) if name in one]
        if not pairs:
            continue
        one, other = (np.array(values, np.float64) for values in zip(*pairs, strict=True))
        found[name] = Change(
            label=figure.label, rows=len(pairs), better=figure.better, **before_and_after(one, other)
        )
    return found


def verdict(figures: Mapping[str, Change], general: tuple[float, float]) -> tuple[bool, list[str]]:
    """Say, in words, what got better and worse, and whether an adapter won more than it lost.

    It did where more figures are better beyond chance than worse, and nothing was forgotten: general texts within
    their limit, general instructions beyond theirs by chance at most, which few of them cannot tell from a loss.
    """
    reasons = []
    counted = {name: change for name, change in figures.items() if name != "instruction"}
    for change in counted.values():
        if change.verdict != "alike":
            reasons.append(f"{change.label}: {change.verdict}, {change.before:.2f} to {change.after:.2f}")
    won = sum(change.verdict == "better" for change in counted.values())
    lost = sum(change.verdict == "worse" for change in counted.values())
    forgotten = False
    told = figures.get("instruction")
    if told is not None and told.before - told.after > _WORSE_INSTRUCTIONS:
        certain = told.verdict == "worse"
        forgotten = certain
        reasons.append(
            f"general instructions: {told.before:.2f} to {told.after:.2f}, more lost than 2 points"
            + ("" if certain else f", which may be chance with {told.rows}")
        )
    growth = general[1] / general[0] - 1
    if growth > _WORSE_PERPLEXITY:
        forgotten = True
        reasons.append(
            f"general texts: perplexity {general[0]:.2f} to {general[1]:.2f}, {100 * growth:.0f} % worse"
        )
    if not won:
        reasons.append("nothing got better beyond chance")
    return won > lost and not forgotten, reasons


def lines(report: Report) -> list[str]:
    """Return the table of a report, and its reasons."""
    width = max(len(change.label) for change in report.figures.values())
    rows = [f"{'':<{width}}  rows  base                     tuned                    difference"]
    for change in report.figures.values():
        rows.append(
            f"{change.label:<{width}}  {change.rows:>4}  {_interval(change.before, change.before_interval)}    "
            f"{_interval(change.after, change.after_interval)}    {change.difference:+.3f} "
            f"[{change.difference_interval[0]:+.3f}, {change.difference_interval[1]:+.3f}]"
        )
    if report.domain_perplexity is not None:
        rows.append(
            f"perplexity, the domain's texts: {report.domain_perplexity[0]:.2f} to {report.domain_perplexity[1]:.2f}"
        )
    rows.append(
        f"perplexity, general texts: {report.general_perplexity[0]:.2f} to {report.general_perplexity[1]:.2f}"
    )
    return [*rows, *report.reasons]


def _interval(value: float, interval: tuple[float, float]) -> str:
    return f"{value:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"


def _answer(model: LanguageModel, messages: Sequence[Mapping[str, str]], adapter: str | None) -> str:
    return model.generate(messages, Sampling(max_new_tokens=_NEW_TOKENS), adapter=adapter).text.strip()


def _perplexities(model: LanguageModel, adapter: str, texts: Sequence[str]) -> tuple[float, float]:
    tokenizer: ChatTokenizer = model.tokenizer
    ids = [tokenizer.encode_text(text)[:_MOST_TEXT] for text in texts]
    ids = [each for each in ids if len(each) > 1]
    count = sum(len(each) - 1 for each in ids)

    def of(way: str | None) -> float:
        return math.exp(
            -sum(model.log_likelihood(each[:1], each[1:], adapter=way) for each in ids) / max(1, count)
        )

    return of(None), of(adapter)
