"""An ensemble beside its members: what it is worth, what it costs, what each member adds, and how alike they fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from adaptation.ensembles.cases import Case
from evaluation.ensembles.diversity import alike
from evaluation.ensembles.figures import Taken, difference, figures, of_ensemble, of_member
from kernel.ensembles.election import Elector
from kernel.ensembles.settings import EnsembleSettings

BELOWS = (0.5, 0.6, 0.7, 0.8, 0.9)
"""Thresholds of asking members one by one that are shown beside the ensemble's own way."""
_KEPT = 0.9
_COST = 1.5


def report(
    name: str,
    told: EnsembleSettings,
    cases: Sequence[Case],
    elector_of: Callable[[EnsembleSettings], Elector],
    *,
    notices: Sequence[str] = (),
) -> dict[str, Any]:
    """Return all figures as JSON values. Asks nobody; blocks.

    Args:
        name: of the ensemble.
        told: what the settings say of it.
        cases: the questions with the members' answers.
        elector_of: makes what elects by the settings of an ensemble.
        notices: what the reader should know of the questions.
    """
    answerable = np.array([case.refused < 1 for case in cases], np.bool_)
    elector = elector_of(told)
    members = [of_member(cases, place, member.name) for place, member in enumerate(told.members)]
    whole = of_ensemble(cases, elector, name, one_by_one=told.if_below is not None)
    best = max(members, key=lambda member: float(member.worth.mean()))
    leave_out: list[dict[str, Any]] = []
    for place, member in enumerate(members):
        rest = of_ensemble(
            cases,
            elector,
            f"without {member.name}",
            without=place,
            one_by_one=told.if_below is not None,
        )
        leave_out.append(
            {"member": member.name}
            | {"figures": figures(rest, answerable), "adds": difference(rest, whole, answerable)}
        )
    worth = np.array([member.worth for member in members]).T
    return {
        "ensemble": name,
        "rule": told.rule,
        "if_below": told.if_below,
        "questions": len(cases),
        "answerable": int(answerable.sum()),
        "documents": len({case.group for case in cases}),
        "members": {member.name: figures(member, answerable) for member in members},
        "whole": figures(whole, answerable),
        "best_member": best.name,
        "gain": difference(best, whole, answerable),
        "without": leave_out,
        "no_gain": [each["member"] for each in leave_out if each["adds"]["worth"]["difference"] <= 0],
        "not_shown": [
            each["member"]
            for each in leave_out
            if each["adds"]["worth"]["difference"] > 0 >= each["adds"]["worth"]["interval"][0]
        ],
        "one_by_one": _one_by_one(told, cases, elector_of, members, best, answerable),
        "alike": [each.as_dict() for each in alike([member.name for member in members], worth)],
        "refusing_all": float(np.mean([case.refused for case in cases])),
        "oracle": float(worth.max(axis=1).mean()),
        "notices": list(notices),
    }


def _one_by_one(
    told: EnsembleSettings,
    cases: Sequence[Case],
    elector_of: Callable[[EnsembleSettings], Elector],
    members: Sequence[Taken],
    best: Taken,
    answerable: Any,
) -> list[dict[str, Any]]:
    """Return what asking one by one keeps of the gain, and costs, at several thresholds.

    The cost is told in tokens and in time, each as a multiple of what a member takes on the mean; members without any
    tokens are left out of that mean.
    """
    everyone = of_ensemble(
        cases, elector_of(told.model_copy(update={"if_below": None})), "", one_by_one=False
    )
    gain = float((everyone.worth - best.worth).mean())
    tokens = [float(member.tokens.mean()) for member in members if member.tokens.any()]
    ms = [float(member.ms.mean()) for member in members if member.tokens.any()]
    belows = sorted({*BELOWS, *(() if told.if_below is None else (told.if_below,))})
    found = []
    for below in belows:
        chosen = elector_of(told.model_copy(update={"if_below": below}))
        taken = of_ensemble(cases, chosen, f"if_below {below:g}", one_by_one=True)
        kept = float((taken.worth - best.worth).mean()) / gain if gain > 0 else None
        cost = float(taken.tokens.mean()) / float(np.mean(tokens)) if tokens else None
        found.append(
            {
                "if_below": below,
                "figures": figures(taken, answerable),
                "gain": difference(best, taken, answerable),
                "gain_kept": kept,
                "tokens_of_one_member": cost,
                "time_of_one_member": float(taken.ms.mean()) / float(np.mean(ms)) if ms else None,
                "worth_it": kept is not None and kept >= _KEPT and cost is not None and cost <= _COST,
            }
        )
    return found


def rows_of(found: Mapping[str, Any]) -> list[list[str]]:
    """Return a row for each member, for the ensemble and for the ensemble without each member."""
    ways = [*found["members"].items(), (found["ensemble"], found["whole"])]
    ways += [(f"without {each['member']}", each["figures"]) for each in found["without"]]
    ways += [(f"if_below = {each['if_below']:g}", each["figures"]) for each in found["one_by_one"]]
    return [
        [
            way,
            *(_value(values.get(key)) for key in ("worth", "answerable", "token_f1", "refusal_f1")),
            f"{values['tokens']:.0f}",
            f"{values['ms_side_by_side']:.0f}",
            f"{values['ms']:.0f}",
            f"{values['members_asked']:.2f}",
        ]
        for way, values in ways
    ]


HEAD = (
    "",
    "worth of an answer",
    "of answerable ones",
    "token F1",
    "refusal F1",
    "tokens",
    "ms side by side",
    "ms one by one",
    "members asked",
)


def lines_of(found: Mapping[str, Any]) -> list[str]:
    """Return in words what the figures say."""
    gain = found["gain"]
    lines = [
        f"{found['questions']} questions, {found['answerable']} answerable, of {found['documents']} documents; "
        f"rule {found['rule']}",
        f"{found['ensemble']} less its best member here, {found['best_member']}: worth {_gain(gain['worth'])}"
        + _more(gain),
        f"the best of all members for each question, which no rule knows, would be worth {found['oracle']:.3f}",
    ]
    if found["refusing_all"]:
        lines.append(f"refusing every question would be worth {found['refusing_all']:.3f}")
    for each in found["without"]:
        lines.append(f"{each['member']} adds {_gain(each['adds']['worth'])}")
    if found["no_gain"]:
        lines.append(f"without gain here, leave out: {', '.join(found['no_gain'])}")
    if found["not_shown"]:
        lines.append(f"a gain that may be chance: {', '.join(found['not_shown'])}")
    for each in found["one_by_one"]:
        kept = "" if each["gain_kept"] is None else f"{100 * each['gain_kept']:.0f} % of the gain, "
        costs = [
            "-" if each[key] is None else f"{each[key]:.2f}"
            for key in ("tokens_of_one_member", "time_of_one_member")
        ]
        lines.append(
            f"if_below = {each['if_below']:g}: worth {_gain(each['gain']['worth'])} to the best member, {kept}"
            f"{costs[0]} times the tokens and {costs[1]} times the time of one member"
        )
    return [*lines, *found["notices"]]


def alike_rows(found: Mapping[str, Any]) -> list[list[str]]:
    """Return a row for each two members: how alike they fail."""
    return [
        [
            f"{each['first']}, {each['second']}",
            *("-" if each[key] is None else f"{each[key]:+.2f}" for key in ("phi", "q")),
            *(f"{each[key]:.2f}" for key in ("disagreement", "double_fault")),
        ]
        for each in found["alike"]
    ]


ALIKE_HEAD = ("two members", "phi", "Yule's Q", "one is right", "neither is right")


def markdown(found: Mapping[str, Any]) -> str:
    """Return the report as a page in Markdown."""
    parts = [f"# Ensemble {found['ensemble']}", *lines_of(found)]
    tables = [_table(HEAD, rows_of(found)), "How alike members fail:", _table(ALIKE_HEAD, alike_rows(found))]
    return "\n\n".join([*parts, *tables]) + "\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") or " " for cell in line) + " |" for line in lines
    )


def _value(figure: Mapping[str, Any] | None) -> str:
    if figure is None:
        return "-"
    low, high = figure["interval"]
    return f"{figure['value']:.3f} [{low:.3f}, {high:.3f}]"


def _gain(figure: Mapping[str, Any]) -> str:
    low, high = figure["interval"]
    return f"{figure['difference']:+.3f} [{low:+.3f}, {high:+.3f}]"


def _more(gain: Mapping[str, Any]) -> str:
    named = (("token_f1", "token F1"), ("refusal_f1", "refusal F1"))
    return "".join(f", {label} {_gain(gain[key])}" for key, label in named if key in gain)
