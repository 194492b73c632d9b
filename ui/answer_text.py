"""A checked answer as text for a terminal or a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ui.console import console, print_text
from ui.locales import label
from ui.plaintext import one_line, plain

if TYPE_CHECKING:
    from kernel.answer import Answer, AnswerMemory, AnswerPassage, Citation, FunctionCall, Samples


def print_answer(answer: Answer, *, draft: str | None, members: bool = False) -> None:
    """Print an answer with its sources.

    `draft` is what the person saw streaming, or None when nothing was shown: then, for a pipe, only the
    final text and the sources are printed. `members` prints as well how a composed answer was found.
    """
    from ui.views import cited_passage

    language = answer.language
    if answer.asked and answer.asked != answer.question:
        console(stderr=True).print(label("asked", language, question=one_line(answer.asked)), style="dim")
    final = plain(answer.answer).strip()
    short = answer.short_answer.text if answer.short_answer else ""
    if draft is None:
        _print_final(final, short)
    elif draft.strip() != final:
        if draft.strip():
            _heading(label("checked", language))
        _print_final(final, short)
    if answer.citations:
        _heading(label("sources", language))
        lines = (source_line(each, language, cited_passage(answer, each)) for each in answer.citations)
        for line in _unique(lines):
            print_text(line)
    elif answer.refused and answer.passages:
        _heading(label("nearest", language))
        for passage in answer.passages[:3]:
            print_text(_passage_line(passage, language))
    if answer.functions:
        _heading(label("functions", language))
        for call in answer.functions:
            print_text(function_line(call))
    if members:
        _print_found(answer)
    if sys.stdout.isatty():
        _aside(answer, stderr=False)
    else:  # a pipe gets the text and its sources; what casts doubt on them still reaches the person
        _aside(answer, stderr=True)


def _print_found(answer: Answer) -> None:
    from ui.composed_text import is_composed, lines

    language = answer.language
    if is_composed(answer):
        _heading(label("how_found", language))
        print_text("\n".join(lines(answer, language)))


def _print_final(text: str, short: str) -> None:
    """Print the answer; on a terminal the words that answer are bold."""
    place = text.find(short) if short and sys.stdout.isatty() else -1
    if place < 0:
        print_text(text)
        return
    from rich.text import Text

    shown = Text(text)
    shown.stylize("bold", place, place + len(short))
    console().print(shown)


def source_line(citation: Citation, language: str, passage: AnswerPassage | None = None) -> str:
    """Return a citation as `[1] document, p. 3: "quote"`, with the other documents that say the same."""
    where = one_line(citation.document)
    if citation.page is not None:
        where += ", " + label("page", language, page=citation.page)
    if passage is not None and passage.also_in:
        where += f" ({label('also_in', language, documents=one_line(', '.join(passage.also_in)))})"
    quote = one_line(citation.quote)
    shown = f"「{quote}」" if language == "ja" else f'"{quote}"'
    return f"[{citation.marker}] {where}: {shown}"


def function_line(call: FunctionCall) -> str:
    """Return a call as `name(argument: value) = result`, or with what went wrong."""
    given = ", ".join(f"{name}: {value}" for name, value in call.arguments.items())
    outcome = f"= {call.result}" if call.result is not None else f"✕ {call.error}"
    line = one_line(f"{call.name}({given}) {outcome}")
    return line if len(line) <= 400 else line[:399] + "…"


def _passage_line(passage: AnswerPassage, language: str) -> str:
    page = ", " + label("page", language, page=passage.page) if passage.page is not None else ""
    text = one_line(passage.text)
    return f"- {one_line(passage.document)}{page}: {text[:200]}{'…' if len(text) > 200 else ''}"


def _aside(answer: Answer, *, stderr: bool) -> None:
    """Print what a person should know beside the text: marks, notices, the time."""
    from ui.composed_text import summary
    from ui.views import seconds_of, stored_note

    language = answer.language
    if answer.unsupported:
        _heading(label("unsupported", language), stderr=stderr)
        against = {claim.text: claim.against for claim in answer.claims if claim.against is not None}
        for sentence in answer.unsupported:
            console(stderr=stderr).print(f"- {one_line(sentence)}")
            if (citation := against.get(sentence)) is not None:
                line = f"  {label('against', language)} {source_line(citation, language)}"
                console(stderr=stderr).print(line)
    remembered = [item for item in answer.memories if not item.offered and answer.variant != "memory"]
    if remembered:
        _heading(label("remembered", language), stderr=stderr)
        for item in remembered:
            console(stderr=stderr).print(f"- {memory_line(item)}")
    notices = list(answer.notices)
    if answer.finish_reason.value == "cancelled":  # a cut at the limit is among the notices already
        notices.append(label("finish_cancelled", language))
    if notices:
        _heading(label("notices", language), stderr=stderr)
        for notice in notices:
            console(stderr=stderr).print(f"- {one_line(notice)}")
    if how := summary(answer, language):
        console(stderr=stderr).print("\n" + how)
    parts = [label("seconds", language, seconds=seconds_of(answer)), answer.variant, answer.technique]
    if answer.usage.completion_tokens:
        usage = answer.usage
        parts.append(
            label("tokens", language, prompt=usage.prompt_tokens, completion=usage.completion_tokens)
        )
    if answer.usage.cost is not None:
        parts.append(label("answer_cost", language, cost=money(answer.usage.cost)))
    if answer.samples is not None:
        parts.append(samples_line(answer.samples, language))
    parts += [note] if (note := stored_note(answer, language)) else []
    console(stderr=stderr).print("\n" + one_line(" · ".join(parts)), style="dim")


def money(cost: float) -> str:
    """Return a cost with as many places as it takes to tell it from nothing."""
    if cost >= 1:
        return f"{cost:,.2f}"
    return f"{cost:.6f}".rstrip("0").rstrip(".") if cost >= 1e-6 else "< 0.000001"


def samples_line(samples: Samples, language: str) -> str:
    """Return how many of the drafts agree with the answer."""
    return label("samples_agree", language, agreeing=round(samples.n * samples.agreement), n=samples.n)


def memory_line(memory: AnswerMemory) -> str:
    """Return something remembered as one line: the fact, or the question with its answer."""
    text = one_line(memory.text)
    return f"{text} → {one_line(memory.answer)}" if memory.answer else text


def _heading(text: str, *, stderr: bool = False) -> None:
    console(stderr=stderr).print("\n" + text, style="bold")


def _unique(lines: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(lines))
