"""What variants are, in words: their kinds, and of composed ones whom they ask and by which rule."""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

from kernel.composed.describing import VariantDescription, VariantPart
from kernel.ensembles.settings import Rule
from ui.chat_view import technique_name
from ui.locales import label
from ui.plaintext import one_line

_STEP_KINDS = ("translate", "answer", "summarise", "classify", "extract", "prompt", "function")


def rule_name(rule: str, language: str) -> str:
    """Return the name of an ensemble's rule; one that has none is called as the settings do."""
    return label(f"rule_{rule}", language) if rule in get_args(Rule) else one_line(rule)


def step_name(kind: str, language: str) -> str:
    """Return the name of a kind of step; one that has none is called as the settings do."""
    return label(f"step_{kind}", language) if kind in _STEP_KINDS else one_line(kind)


def kind_name(described: VariantDescription, language: str) -> str:
    """Return the name of a variant's kind."""
    return label(f"kind_{described.kind}", language)


def variant_name(described: VariantDescription, language: str) -> str:
    """Return a variant's name as it stands in a list to choose from; of a composed one with its kind."""
    return f"{described.name} · {kind_name(described, language)}" if described.is_composed else described.name


def made_of(described: VariantDescription, language: str) -> str:
    """Return in one line whom a composed variant asks and by which rule; empty for one that asks nobody."""
    if not described.is_composed:
        return ""
    if described.kind == "pipeline":
        steps = " → ".join(_part(part, language) for part in described.parts)
        return one_line(label("parts_steps", language, names=steps))
    names = ", ".join(_part(part, language) for part in described.parts)
    if described.kind == "policy":
        return one_line(label("parts_choices", language, names=names))
    rule = rule_name(described.rule, language)
    told = label("parts_members", language, rule=rule, names=names)
    if described.if_below is not None:
        told += " · " + label("parts_one_by_one", language, sure=f"{described.if_below:.0%}")
    return one_line(told)


def _part(part: VariantPart, language: str) -> str:
    if part.step:
        return f"{part.name} ({part.variant})" if part.variant else part.name
    more = [technique_name(part.technique, language)] if part.technique else []
    if part.weight is not None and part.weight != 1:
        more.append(label("parts_weight", language, weight=figure(part.weight)))
    if part.temperature:
        more.append(label("parts_temperature", language, temperature=figure(part.temperature)))
    if part.samples:
        more.append(label("parts_samples", language, count=part.samples))
    if part.top_k is not None:
        more.append(label("parts_passages", language, count=part.top_k))
    return f"{part.variant} ({listed(more, language)})" if more else part.variant


def listed(parts: Iterable[str], language: str) -> str:
    """Return parts in a row, as a language puts them."""
    return ("、" if language == "ja" else ", ").join(parts)


def figure(value: float) -> str:
    """Return a weight or a score as it is shown."""
    return f"{round(value, 2):g}"
