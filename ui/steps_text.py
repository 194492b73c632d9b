"""How pipelines and policies came to an answer, in words."""

from __future__ import annotations

import json
from collections.abc import Mapping

from kernel.answer import PipelineReport, PipelineStep, PolicyReport
from ui.chat_view import technique_name
from ui.found_parts import Entry, Section, cut
from ui.locales import label
from ui.messages import said
from ui.plaintext import one_line, plain
from ui.variant_text import figure, listed, step_name


def steps_section(report: PipelineReport, language: str) -> Section:
    """Return what the steps of a pipeline gave."""
    entries = tuple(_step(number, step, language) for number, step in enumerate(report.steps, 1))
    stopped = any(step.error for step in report.steps)
    return Section(label("steps", language), entries, (label("steps_not_run", language),) if stopped else ())


def _step(number: int, step: PipelineStep, language: str) -> Entry:
    output = step.output
    if step.type == "answer" and isinstance(output, Mapping):
        output = output.get("answer")
    if output is not None and not isinstance(output, str):
        output = json.dumps(output, ensure_ascii=False, indent=2, default=str)
    detail = step_name(step.kind, language)
    scores = sorted((step.scores or {}).items(), key=lambda pair: -pair[1])
    facts = [one_line(f"{name} {share:.0%}") for name, share in scores]
    if step.ms:
        facts.append(label("seconds", language, seconds=step.ms / 1000))
    if step.completion_tokens:
        facts.append(label("tokens", language, prompt=step.prompt_tokens, completion=step.completion_tokens))
    return Entry(
        one_line(f"{number}. {step.name}"),
        one_line(f"{detail} · {step.variant}" if step.variant else detail),
        cut(plain(output or "").strip()),
        tuple(facts),
        tuple(one_line(notice) for notice in step.notices),
        label("step_failed", language, error=said(one_line(step.error), language)) if step.error else "",
    )


def choice_section(report: PolicyReport, language: str) -> Section:
    """Return what a policy chose, and why."""
    notes = [how_chosen(report, language), *([report.reason] if report.reason else [])]
    return Section(label("choice", language), (), tuple(notes))


def how_chosen(report: PolicyReport, language: str) -> str:
    """Return what a policy chose on one line."""
    parts = [report.variant]
    if report.technique:
        parts.append(technique_name(report.technique, language))
    if report.temperature:
        parts.append(label("parts_temperature", language, temperature=figure(report.temperature)))
    parts.append(label("parts_passages", language, count=report.top_k))
    parts.append(label("choice_probability", language, probability=f"{report.probability:.0%}"))
    parts += [label("choice_default", language)] if report.default else []
    return one_line(listed(parts, language))
