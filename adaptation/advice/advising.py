"""Answers in, a recommendation out: options by score, with reasons, costs over time and commands."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from adaptation.advice.rules import Answers, Option, options, rules
from retrieval.errors import UsageError

_DAYS = 30.4
"""Days of a month."""
_WORTHWHILE = 3.0
"""The score from which on an option is recommended."""


class Scored(BaseModel):
    """An option with what speaks for it and against it. Costs are of the time that was named, in US dollars."""

    model_config = ConfigDict(frozen=True)

    option: str
    name: str
    about: str
    score: float
    reasons: list[str]
    commands: list[str] = Field(description="empty for what has no command yet")
    upfront: float
    monthly: float
    cost: float
    affordable: bool


class Advice(BaseModel):
    """The recommendation: `recommended` in the order in which they are to be done, best first."""

    model_config = ConfigDict(frozen=True)

    recommended: list[str]
    options: list[Scored]
    months: int
    curves: dict[str, list[float]] = Field(description="costs up to each month, from month 0 on")
    break_even: dict[str, int | None] = Field(
        description="the month from which a recommended option costs less than prompting a hosted model; None: never"
    )


def advise(answers: Answers, *, language: str = "en") -> Advice:
    """Recommend what to do.

    Args:
        answers: of all questions, see `read_answers`.
        language: of the reasons, `en` or `ja`.
    """
    months = int(answers["months"])
    fired = [rule for rule in rules() if rule.holds(answers)]
    scored = []
    for option in options():
        own = [rule for rule in fired if rule.option == option.id]
        monthly = _monthly(option, answers)
        scored.append(
            Scored(
                option=option.id,
                name=option.name[language],
                about=option.about[language],
                score=sum(rule.score for rule in own),
                reasons=[rule.reason[language] for rule in own],
                commands=option.commands,
                upfront=option.upfront,
                monthly=monthly,
                cost=option.upfront + months * monthly,
                affordable=option.upfront <= answers["upfront"] and monthly <= answers["monthly"],
            )
        )
    scored.sort(key=lambda each: (-each.score, each.cost))
    recommended = [each.option for each in scored if each.score >= _WORTHWHILE] or ["prompting"]
    curves = {each.option: curve(each.upfront, each.monthly, months) for each in scored}
    return Advice(
        recommended=recommended,
        options=scored,
        months=months,
        curves=curves,
        break_even={
            name: break_even(curves[name], curves["prompting"]) for name in recommended if name != "prompting"
        },
    )


def _monthly(option: Option, answers: Answers) -> float:
    return option.machine + option.per_thousand * float(answers["questions_a_day"]) * _DAYS / 1000


def curve(upfront: float, monthly: float, months: int) -> list[float]:
    """Return what something has cost up to each month, from month 0 on."""
    return [upfront + month * monthly for month in range(months + 1)]


def break_even(costs: Sequence[float], others: Sequence[float]) -> int | None:
    """Return the first month in which something has cost no more than something else; None where it never has."""
    return next(
        (month for month, (one, other) in enumerate(zip(costs, others, strict=True)) if one <= other), None
    )


def draw(advice: Advice, path: Path, *, language: str = "en") -> None:
    """Draw the costs of what is recommended over time, beside prompting a hosted model, as PNG.

    Raises:
        UsageError: matplotlib is not installed.
    """
    if find_spec("matplotlib") is None:
        raise UsageError("plots need matplotlib: pip install 'tekio[reports]', or leave out --plot")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes: Any = figure.add_subplot()
    for name in dict.fromkeys([*advice.recommended, "prompting"]):
        axes.plot(range(advice.months + 1), advice.curves[name], label=name)
        month = advice.break_even.get(name)
        if month:
            axes.plot([month], [advice.curves[name][month]], "o", color="black", markersize=5)
            axes.annotate(
                f"{month}", (month, advice.curves[name][month]), textcoords="offset points", xytext=(4, -12)
            )
    axes.set_xlabel("month")
    axes.set_ylabel("US dollars in all")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=110)
