"""What fits of ensembles and trainings of policies came to, as tables with their intervals of 95 %."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kernel.policies.settings import PolicySettings
from ui import chat_view as view
from ui.page.here import Here

_VALUES = ("doubly_robust", "ips", "snips", "default")
_DIFFERENCES = ("gain", "over_best_fixed")


def ensemble_html(here: Here, name: str, figures: Mapping[str, Any]) -> str:
    """Return what an ensemble is worth beside its members on documents that were left out; empty where nothing says.

    Args:
        here: the page.
        name: of the ensemble.
        figures: as `tekio adapt ensemble --json` prints them, or as the fitted file holds them.
    """
    if isinstance(figures.get("losses"), Mapping):
        return _mixture_html(here, figures)
    members, own = figures.get("members"), figures.get("ensemble")
    if not (isinstance(members, Mapping) and isinstance(own, Mapping)):
        return ""
    weights = figures.get("weights")
    weights = weights if isinstance(weights, Mapping) else {}
    rows = [
        (str(who), _number(each.get("worth")), _interval(each.get("interval")), _number(weights.get(who)))
        for who, each in [*members.items(), (name, own)]
    ]
    low = dict(enumerate(figures.get("gain_interval") or ())).get(0, 0.0)
    said = here.say(
        "fit_gain",
        best=str(figures.get("best_member")),
        gain=_number(figures.get("gain"), signed=True),
        interval=_interval(figures.get("gain_interval"), signed=True),
    )
    table = _table(here, ("fit_who", "fit_worth", "fit_interval", "fit_weight"), rows)
    verdict = view.notice_html(here.say("fit_no_gain"), "warn") if low <= 0 else ""
    return table + view.text_html(said, "meta") + verdict


def policy_html(here: Here, value: Mapping[str, Any], policy: PolicySettings) -> str:
    """Return what a policy is worth on documents that no training used; empty where nothing says.

    Args:
        here: the page.
        value: of its off-policy evaluation.
        policy: of the settings; each of its actions is shown as if it alone were taken.
    """
    rows = []
    for key in (*_VALUES, *_DIFFERENCES):
        each = value.get(key)
        if isinstance(each, Mapping):
            signed = key in _DIFFERENCES
            span = _interval((each.get("low"), each.get("high")), signed=signed)
            rows.append((here.say(f"worth_{key}"), _number(each.get("value"), signed=signed), span))
    if not rows:
        return ""
    for action, fixed in zip(policy.actions, value.get("fixed") or (), strict=False):
        told = here.say("worth_never_seen") if fixed is None else _number(fixed)
        rows.append((here.say("worth_always", action=action.label), told, ""))
    return _table(here, ("fit_who", "fit_worth", "fit_interval"), rows)


def _mixture_html(here: Here, figures: Mapping[str, Any]) -> str:
    rows = [
        (_mixed(here, str(name)), _number(each.get("mean")), _interval(each.get("interval")))
        for name, each in dict(figures["losses"]).items()
    ]
    return _table(here, ("fit_who", "fit_loss", "fit_interval"), rows)


def _mixed(here: Here, name: str) -> str:
    known = {"uniform": "fit_uniform", "fitted": "fit_fitted", "fitted by kind": "fit_fitted_by_kind"}
    return here.say(known[name]) if name in known else name


def _table(here: Here, names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    cells = "".join(f"<th scope='col'>{view.cell(here.say(name))}</th>" for name in names)
    body = "".join("<tr>" + "".join(f"<td>{view.cell(text)}</td>" for text in row) + "</tr>" for row in rows)
    table = f'<table class="tk-table"><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>'
    return f'<div class="tk-wide">{table}</div>'


def _number(value: Any, *, signed: bool = False) -> str:
    return format(value, "+.3f" if signed else ".3f") if isinstance(value, int | float) else ""


def _interval(ends: Any, *, signed: bool = False) -> str:
    told = [_number(end, signed=signed) for end in ends] if isinstance(ends, list | tuple) else []
    return f"[{', '.join(told)}]" if len(told) == 2 and all(told) else ""
