"""What an adapter changed, as a table of before and after, and whether it won more than it lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evaluation.adapters.judging import FIGURES
from ui import chat_view as view
from ui.page.here import Here

_PERPLEXITIES = ("domain_perplexity", "general_perplexity")


def figures_html(here: Here, figures: Mapping[str, Any]) -> str:
    """Return a report of base and adapter as a table, with a verdict; nothing where there is none.

    Args:
        here: the page.
        figures: the report as JSON, see `evaluation.adapters.comparing.Report`.
    """
    rows = []
    for name, change in dict(figures.get("figures") or {}).items():
        if isinstance(change, Mapping) and "before" in change and "after" in change:
            told = here.say(f"figure_of_{name}") if name in FIGURES else str(change.get("label") or name)
            count = str(change.get("rows") or "")
            rows.append((told, count, *_numbers(change["before"], change["after"]), _meant(here, change)))
    if not rows:
        return ""
    for name in _PERPLEXITIES:
        held = figures.get(name)
        if isinstance(held, list | tuple) and len(held) == 2:
            rows.append((here.say(name), "", *_numbers(*held), ""))
    names = ("figure", "figure_rows", "before", "after", "beyond_chance")
    cells = "".join(f"<th scope='col'>{view.cell(here.say(name))}</th>" for name in names)
    body = "".join("<tr>" + "".join(f"<td>{view.cell(text)}</td>" for text in row) + "</tr>" for row in rows)
    table = f'<table class="tk-table"><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>'
    return view.wide_html(table, here.say("changed_figures")) + _verdict_html(here, figures)


def is_doubtful(figures: Mapping[str, Any]) -> bool:
    """Say whether a report says that an adapter did not win more than it lost."""
    return figures.get("recommended") is False


def _verdict_html(here: Here, figures: Mapping[str, Any]) -> str:
    if is_doubtful(figures):
        return view.notice_html(here.say("not_recommended"), "warn")
    return view.notice_html(here.say("recommended")) if figures.get("recommended") else ""


def _meant(here: Here, change: Mapping[str, Any]) -> str:
    """Return whether a difference is more than chance, by its interval of 95 %."""
    held = change.get("difference_interval")
    if not (isinstance(held, list | tuple) and len(held) == 2):
        return ""
    low, high = held
    if low <= 0 <= high:
        return here.say("changed_alike")
    return here.say("changed_better" if (low > 0) == (change.get("better", 1) > 0) else "changed_worse")


def _numbers(*values: Any) -> tuple[str, ...]:
    return tuple(f"{value:,.3g}" if isinstance(value, int | float) else str(value) for value in values)
