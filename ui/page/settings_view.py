"""The page of settings: what holds here, what each means, and how it is changed."""

from __future__ import annotations

import json
import re
from html import escape
from typing import Any

import streamlit as st

from kernel.composed.describing import describe_variants
from kernel.settings import SETTINGS_FILE, Settings
from retrieval.stores.opening import shown
from ui import chat_view as view
from ui.page.here import Here
from ui.page.models import show_models
from ui.page.rights import may_run
from ui.page.setting_costs import setting_costs
from ui.page.setting_meanings import meaning
from ui.variant_text import made_of

_NAMES_ONLY = ("functions", "variants")
"""Their addresses, headers and commands can hold what is secret."""
_COMPOSED = ("ensembles", "pipelines", "policies")
"""Shown by whom they ask and by which rule, without their prompts."""
_SECRET = re.compile(r"(?:^|_)(?:key|token|password|secret)$")


def settings_page(here: Here) -> None:
    """Draw the page."""
    st.html(view.text_html(here.say("page_settings"), "title"))
    if not may_run(here):
        st.html(view.notice_html(here.say("not_allowed"), "warn"))
        return
    st.html(view.text_html(here.say("settings_help", file=SETTINGS_FILE), "tagline"))
    show_models(here)
    wanted = st.text_input(here.say("settings_filter"), key="settings_filter", max_chars=100)
    changed = st.toggle(here.say("settings_changed"), key="settings_changed")
    st.html(settings_html(here, wanted, changed_only=changed))


def settings_html(here: Here, wanted: str, *, changed_only: bool) -> str:
    """Return the settings as a list: name, value, meaning, the variable that sets it, cost. Secrets are not shown."""
    settings, rows = here.settings, []
    for name, field in type(settings).model_fields.items():
        is_set = name in settings.model_fields_set
        said = meaning(name, here.language) or field.description or ""
        cost = _cost(here, name)
        if (changed_only and not is_set) or wanted.casefold() not in f"{name} {said} {cost}".casefold():
            continue
        unset = getattr(settings, name) is None
        value = escape(here.say("unset") if unset else _shown(settings, name, here.language))
        badge = ' <span class="tk-page">●</span>' if is_set else ""
        rows.append(
            f'<div class="tk-setting"><div lang="en"><b>{escape(name)}</b>{badge} <code>{value}</code></div>'
            f'<div class="tk-meta">{escape(said)} · TEKIO_{escape(name.upper())}</div>'
            f'<div class="tk-cost">{escape(cost)}</div></div>'
        )
    if not rows:
        return view.text_html(here.say("nothing_found"), "meta")
    return f'<div lang="{here.language}">{"".join(rows)}</div>'


def _cost(here: Here, name: str) -> str:
    cost = setting_costs().costs.get(name)
    if cost is None:
        return here.say("costs_nothing")
    of = here.say("cost_joined").join(here.say(f"cost_of_{each}") for each in cost.of)
    return here.say("costs", of=of, how=cost.said(here.language))


def _shown(settings: Settings, name: str, language: str) -> str:
    value: Any = getattr(settings, name)
    if name == "store":
        return shown(value) if value else '""'
    if name in _COMPOSED:
        told = {each.name: made_of(each, language) for each in describe_variants(value, settings)}
        return json.dumps(told, ensure_ascii=False)
    if name in _NAMES_ONLY:
        names = list(value) if isinstance(value, dict) else [each.name for each in value]
        return json.dumps(names, ensure_ascii=False)
    if value and _SECRET.search(name):
        return "•••"
    return json.dumps(settings.model_dump(mode="json", include={name})[name], ensure_ascii=False)
