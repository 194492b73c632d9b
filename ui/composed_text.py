"""How a composed answer was found, in words: what members, steps and choices came to, whichever way in shows it.

What members answered and steps gave is models' and documents' text: it is returned as it is, to be shown as plain text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kernel.answer import Answer, EnsembleReport, MemberAnswer
from kernel.ensembles.settings import TOKEN_RULES
from ui.chat_view import technique_name
from ui.found_parts import Entry, Section, cut
from ui.locales import label
from ui.messages import said
from ui.plaintext import one_line, plain
from ui.steps_text import choice_section, how_chosen, steps_section
from ui.variant_text import figure, rule_name

_MOST_TIED = 300


def is_composed(answer: Answer) -> bool:
    """Say whether there is something to tell of how an answer was found."""
    return bool(answer.ensemble or answer.pipeline or answer.policy)


def sections(answer: Answer, language: str) -> list[Section]:
    """Return how an answer was found; nothing of an answer that one variant gave by itself."""
    found: list[Section] = []
    if answer.policy is not None:
        found.append(choice_section(answer.policy, language))
    if answer.ensemble is not None:
        found += _ensemble(answer.ensemble, language)
    if answer.pipeline is not None:
        found.append(steps_section(answer.pipeline, language))
    return found


def summary(answer: Answer, language: str) -> str:
    """Return in one line how an answer was found; empty for one that a variant gave by itself."""
    parts: list[str] = []
    if answer.policy is not None:
        parts.append(label("found_choice", language, how=how_chosen(answer.policy, language)))
    if answer.ensemble is not None:
        parts += _vote_in_short(answer.ensemble, language)
    if answer.pipeline is not None:
        steps = answer.pipeline.steps
        parts.append(label("found_steps", language, names=" → ".join(step.name for step in steps)))
        failed = [step.name for step in steps if step.error]
        parts += [label("found_stopped", language, name=name) for name in failed]
    return one_line(" · ".join(parts))


def lines(answer: Answer, language: str) -> list[str]:
    """Return how an answer was found as plain lines, those within others indented."""
    found: list[str] = []
    for section in sections(answer, language):
        notes = [f"  {line}" for note in section.notes for line in plain(note).splitlines()]
        found += [section.title, *notes] if section.notes_first else [section.title]
        for entry in section.entries:
            found.append(f"  - {head(entry, language)}")
            found += [f"    {line}" for line in (entry.error or entry.text).splitlines()]
            found += [f"    ({note})" for note in entry.notes]
        found += [] if section.notes_first else notes
    return found


def head(entry: Entry, language: str) -> str:
    """Return who an entry is, how it was asked and what it counted, on one line."""
    marks = [label("member_chosen", language)] if entry.chosen else []
    marks += [label("member_refused", language)] if entry.refused else []
    return one_line(" · ".join(part for part in (entry.name, entry.detail, *marks, *entry.facts) if part))


def _ensemble(report: EnsembleReport, language: str) -> list[Section]:
    notes = [report.explanation] if report.explanation else []
    if report.tie:
        tied = [f"- {_short(text)}" for text in report.tie]
        notes.append("\n".join([label("members_tie", language), *tied]))
    if report.not_asked:
        notes.append(label("members_not_asked", language, names=", ".join(report.not_asked)))
    rule = rule_name(report.rule, language)
    found = [Section(rule[:1].upper() + rule[1:], (), tuple(notes))]
    for group, members in _grouped(report.members):
        entries = tuple(_member(member, report.rule, language) for member in members)
        if group is None:
            apart = any(member.group is not None for member in report.members)
            title = label("members_apart" if apart else "members", language)
        elif len(report.members) == 1:
            title = label("members", language)
        elif len(members) == 1:
            title = label("members_alone", language)
        else:
            title = label("members_agree", language, count=len(members))
        found.append(Section(title, entries, is_vote=True))
    return found


def _grouped(members: Sequence[MemberAnswer]) -> list[tuple[int | None, list[MemberAnswer]]]:
    """Return the members by what they say: what was taken first, then the larger groups; those in none last."""
    groups: dict[int | None, list[MemberAnswer]] = {}
    for member in members:
        groups.setdefault(member.group, []).append(member)
    return sorted(
        groups.items(),
        key=lambda pair: (pair[0] is None, not any(each.chosen for each in pair[1]), -len(pair[1])),
    )


def _member(member: MemberAnswer, rule: str, language: str) -> Entry:
    facts = []
    if member.weight is not None:
        facts.append(label("parts_weight", language, weight=figure(member.weight)))
    if member.score is not None:
        facts.append(label("member_score", language, score=figure(member.score)))
    if not member.error:
        if member.confidence:
            facts.append(label("member_confidence", language, confidence=f"{member.confidence:.0%}"))
        if member.support:
            facts.append(label("member_support", language, support=f"{member.support:.0%}"))
        if member.answered_by not in ("", member.variant):
            facts.append(label("member_by", language, name=one_line(member.answered_by)))
        if member.cached:
            facts.append(label("member_stored", language))
        if member.ms:
            facts.append(label("seconds", language, seconds=member.ms / 1000))
        if member.completion_tokens:
            facts.append(
                label("tokens", language, prompt=member.prompt_tokens, completion=member.completion_tokens)
            )
    text = cut(plain(member.answer).strip())
    if not (text or member.error or rule in TOKEN_RULES):  # members of a blend write one text together
        text = label("member_empty", language)
    return Entry(
        one_line(member.variant),
        technique_name(member.technique, language) if member.technique else "",
        text,
        tuple(facts),
        (),
        label("member_failed", language, error=said(one_line(member.error), language))
        if member.error
        else "",
        member.chosen and rule not in TOKEN_RULES,
        member.refused,
    )


def _vote_in_short(report: EnsembleReport, language: str) -> list[str]:
    rule, asked = rule_name(report.rule, language), len(report.members)
    counted = [member for member in report.members if member.weight != 0]  # others have no voice of their own
    chosen = next((member for member in report.members if member.chosen), None)
    if report.rule in TOKEN_RULES:
        weighed = (
            member.variant if member.weight is None else f"{member.variant} {figure(member.weight)}"
            for member in report.members
        )
        parts = [f"{rule}: {', '.join(weighed)}"]
    elif chosen is None:
        parts = [label("found_none", language, rule=rule, asked=asked)]
    elif asked == 1:
        parts = [label("found_alone", language, chosen=chosen.variant)]
    elif chosen.group is None:
        name = _name(chosen, report.members, language)
        parts = [label("found_chosen", language, rule=rule, chosen=name, asked=asked)]
    else:
        agreeing = sum(member.group == chosen.group for member in counted)
        name = _name(chosen, report.members, language)
        answered = sum(not member.error for member in counted)
        key = "found_vote" if agreeing > 1 else "found_lone" if answered > 1 else "found_only"
        parts = [
            label(
                key,
                language,
                rule=rule,
                chosen=name,
                agreeing=agreeing,
                asked=len(counted) if agreeing > 1 else answered,
            )
        ]
    parts += [label("found_tie", language)] if report.tie else []
    if failed := [member.variant for member in report.members if member.error]:
        parts.append(label("found_failed", language, names=", ".join(failed)))
    if report.not_asked:
        parts.append(label("found_unasked", language, names=", ".join(report.not_asked)))
    return parts


def _name(member: MemberAnswer, members: Iterable[MemberAnswer], language: str) -> str:
    """Return a member's name, with its technique where the same variant was asked in several ways."""
    if sum(each.variant == member.variant for each in members) == 1 or not member.technique:
        return member.variant
    return f"{member.variant} ({technique_name(member.technique, language)})"


def _short(text: str) -> str:
    text = one_line(text)
    return text if len(text) <= _MOST_TIED else text[: _MOST_TIED - 1] + "…"
