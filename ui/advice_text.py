"""What a recommendation says, in lines, for the terminal and the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adaptation.advice.advising import Advice

_WORDS = {
    "en": {
        "do": "Recommended, in this order:",
        "cost": "about {upfront:,.0f} dollars to begin with, {monthly:,.0f} a month",
        "dear": "over the budget that was named",
        "even": "cheaper than prompting a hosted model from month {month} on",
        "never": "not cheaper than prompting a hosted model within {months} months",
        "soon": "no command of Tekio's does this yet",
        "against": "Considered and not recommended:",
    },
    "ja": {
        "do": "お勧め（この順に）：",
        "cost": "初期費用 約{upfront:,.0f}ドル、月 約{monthly:,.0f}ドル",
        "dear": "予算を超えます",
        "even": "{month} か月目から、外部モデルへのプロンプトより安くなります",
        "never": "{months} か月以内には、外部モデルへのプロンプトより安くなりません",
        "soon": "Tekio のコマンドはまだありません",
        "against": "検討したが勧めないもの：",
    },
}


def advice_lines(advice: Advice, language: str) -> list[str]:
    """Return a recommendation with its reasons, costs and commands."""
    words = _WORDS[language]
    by_name = {each.option: each for each in advice.options}
    lines = [words["do"]]
    for number, name in enumerate(advice.recommended, start=1):
        each = by_name[name]
        lines.append(f"{number}. {each.name}: {each.about}")
        lines += [f"   - {reason}" for reason in each.reasons]
        cost = words["cost"].format(upfront=each.upfront, monthly=each.monthly)
        lines.append(f"   {cost}" + ("" if each.affordable else f" ({words['dear']})"))
        if name in advice.break_even:
            month = advice.break_even[name]
            key = "never" if month is None else "even"
            lines.append("   " + words[key].format(month=month, months=advice.months))
        lines += [f"   $ {command}" for command in each.commands] or [f"   {words['soon']}"]
    against = [each for each in advice.options if each.score < 0]
    if against:
        lines.append(words["against"])
        lines += [f"   {each.name}: {each.reasons[0]}" for each in against]
    return lines
