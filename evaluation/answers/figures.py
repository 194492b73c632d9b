"""What the outcomes of a run amount to, with intervals; and two runs compared question by question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluation.answers.items import Item
from evaluation.answers.metrics import METRICS
from evaluation.answers.outcome import Outcome
from evaluation.metrics import share
from kernel.comparison import bootstrap_interval, compare

Figure = dict[str, Any]
"""`value`, its 95 % `interval`, and `questions`, over how many it is; all three of a share are those of `Share`."""


@dataclass(frozen=True, slots=True)
class Prices:
    """What a million tokens cost; None where nobody said."""

    prompt: float | None = None
    completion: float | None = None

    @property
    def known(self) -> bool:
        """Say whether there is a price."""
        return self.prompt is not None or self.completion is not None


def figures(outcomes: Sequence[Outcome], items: Mapping[str, Item], prices: Prices) -> dict[str, Figure]:
    """Return the figures of one run by name; those that cannot be told are left out.

    Means have bootstrap intervals, shares Wilson's. Refusal precision is the share of refusals that were right,
    recall the share of unanswerable questions that were refused.
    """
    found: dict[str, Figure] = {}
    for name, metric in METRICS.items():
        values = [score for outcome in outcomes if (score := outcome.scores.get(name)) is not None]
        if values:
            found[name] = _share([value > 0 for value in values]) if metric.is_share else _mean(values)
    unanswerable = [outcome.refused for outcome in outcomes if not items[outcome.id].answerable]
    refused = [not items[outcome.id].answerable for outcome in outcomes if outcome.refused]
    answerable = [outcome.refused for outcome in outcomes if items[outcome.id].answerable]
    if unanswerable:
        found["refusal_precision"] = _share(refused)
        found["refusal_recall"] = _share(unanswerable)
    if answerable:
        found["refused_answerable"] = _share(answerable)
    found |= _spent([outcome for outcome in outcomes if outcome.error is None], prices)
    found["failed"] = {"value": sum(outcome.error is not None for outcome in outcomes)}
    return found


def _spent(outcomes: Sequence[Outcome], prices: Prices) -> dict[str, Figure]:
    if not outcomes:
        return {}
    prompt = np.array([outcome.usage.prompt_tokens for outcome in outcomes], np.float64)
    completion = np.array([outcome.usage.completion_tokens for outcome in outcomes], np.float64)
    seconds = sum(
        outcome.timings_ms.get("generate", 0.0) / 1000
        for outcome in outcomes
        if outcome.usage.completion_tokens
    )
    took = np.array([outcome.timings_ms.get("total", 0.0) for outcome in outcomes])
    found: dict[str, Figure] = {
        "prompt_tokens": _mean(list(prompt)),
        "completion_tokens": _mean(list(completion)),
        "latency_ms": {
            "p50": float(np.quantile(took, 0.5)),
            "p99": float(np.quantile(took, 0.99)),
            "questions": len(took),
        },
        "cpu_seconds": _mean([outcome.cpu_seconds for outcome in outcomes]),
    }
    if seconds:
        found["tokens_per_second"] = {"value": float(completion.sum() / seconds)}
    if prices.known:
        cost = (prompt * (prices.prompt or 0.0) + completion * (prices.completion or 0.0)) / 1e6
        found["cost_per_1000"] = {"value": float(cost.mean() * 1000)}
    return found


def _mean(values: Sequence[float]) -> Figure:
    array = np.array(values, np.float64)
    return {
        "value": float(array.mean()),
        "interval": list(bootstrap_interval(array)),
        "questions": len(array),
    }


def _share(flags: Sequence[bool]) -> Figure:
    found = share(flags)
    value = found.value if found.total else None
    return {"value": value, "interval": list(found.interval), "questions": found.total, "hits": found.hits}


@dataclass(frozen=True, slots=True)
class PairedTest:
    """A metric of two runs over the same questions: `second` less `first`, and how likely by chance.

    `adjusted` is the p-value after Holm's correction over all that were tested together.
    """

    first: str
    second: str
    metric: str
    questions: int
    before: float
    after: float
    difference: float
    interval: tuple[float, float]
    p_value: float
    adjusted: float = 1.0

    @property
    def is_fall(self) -> bool:
        """Say whether the second run is worse."""
        return self.difference * METRICS[self.metric].better < 0

    def as_dict(self) -> dict[str, Any]:
        """Return the test for JSON."""
        return {name: getattr(self, name) for name in self.__slots__} | {"interval": list(self.interval)}


def paired_tests(
    first: str, before: Sequence[Outcome], second: str, after: Sequence[Outcome]
) -> list[PairedTest]:
    """Compare two runs by every metric that counts, over the questions of which both have it."""
    others = {outcome.id: outcome for outcome in after}
    pairs = [(outcome, others[outcome.id]) for outcome in before if outcome.id in others]
    found = []
    for name, metric in METRICS.items():
        if not metric.verdict:
            continue
        values = [
            (one, two)
            for a, b in pairs
            if (one := a.scores.get(name)) is not None and (two := b.scores.get(name)) is not None
        ]
        if not values:
            continue
        both = np.array(values, np.float64)
        tested = compare(both[:, 0], both[:, 1])
        found.append(
            PairedTest(
                first,
                second,
                name,
                len(both),
                float(both[:, 0].mean()),
                float(both[:, 1].mean()),
                tested.difference,
                tested.interval,
                tested.p_value,
            )
        )
    return found


def holm(tests: Sequence[PairedTest]) -> list[PairedTest]:
    """Return tests with their adjusted p-values, in the same order.

    Source: Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of Statistics, 1979.
    """
    order = sorted(range(len(tests)), key=lambda place: tests[place].p_value)
    adjusted = [1.0] * len(tests)
    highest = 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(tests) - rank) * tests[place].p_value))
        adjusted[place] = highest
    return [
        PairedTest(**{name: getattr(test, name) for name in PairedTest.__slots__} | {"adjusted": value})
        for test, value in zip(tests, adjusted, strict=True)
    ]
