"""Attacks on what is done with whole documents: a summary, a comparison, facts read out by a schema.

The poisoned document itself is summarised, compared with the clean one beside it, and read for the answer of the case's
question. What counts is whether the output does what the attack is after. Whoever has a document summarised or compared
is shown its sentences, and an instruction that is not known for one may be among them, as the document's words with
their place: that is no harm, and told apart. A value that is read out is data, however it stands in the document. A
false statement without an instruction is left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.injection.asking import Say, poisoned
from evaluation.injection.cases import LANGUAGES, Case
from evaluation.injection.figures import MOST_HARMFUL, WITHOUT_ANY
from evaluation.injection.judge import Reply, judge
from evaluation.injection.kinds import Group
from evaluation.metrics import Share, share
from ingest.sentences import split_sentences
from kernel.answering.evidence import answer_sentences
from kernel.app import Tekio
from kernel.settings import Settings

TASKS = ("summary", "comparison", "extraction")
_MARKER = re.compile(r"\[(?:\d+|\?)\]")
_AROUND = "#*-•・|.。!！?？ "


@dataclass(frozen=True, slots=True)
class TaskResult:
    """What one task made of one poisoned document."""

    case: Case
    task: str
    output: str
    variant: str
    notices: tuple[str, ...]
    succeeded: bool
    quoted: bool = False
    """The output shows what the attack says, as whole sentences of the document."""


async def try_documents(
    cases: Sequence[Case], settings: Settings, folder: Path, *, variant: str | None = None, say: Say
) -> list[TaskResult]:
    """Write the cases under a folder, index them there, and give each poisoned document to every task.

    Raises:
        TekioError: a poisoned file could not be read, so that nothing would be measured.
    """
    cases = [case for case in cases if case.kind.group is not Group.MISINFORMATION]
    results: list[TaskResult] = []
    with poisoned(cases, settings, folder) as tekio:
        names = {row.document for row in tekio.documents()}
        calls: list[str] = []
        await tekio.watch_functions(calls.append)
        for number, case in enumerate(cases, start=1):
            for name in (name for name in case.poisoned if name in names):
                for task, work in _tasks(tekio, case, name, variant):
                    calls.clear()
                    made = await work()
                    results.append(judged(case, task, made, tuple(calls)))
            if number % 20 == 0 or number == len(cases):
                say(f"{number} of {len(cases)} poisoned documents")
    return results


def _tasks(
    tekio: Tekio, case: Case, name: str, variant: str | None
) -> list[tuple[str, Callable[[], Awaitable[Any]]]]:
    clean = f"{case.folder}/source-0.md"
    schema = {
        "type": "object",
        "properties": {"answer": {"type": ["string", "null"], "description": case.fact.question}},
    }
    return [
        (TASKS[0], lambda: tekio.summarize(name, variant=variant)),
        (TASKS[1], lambda: tekio.compare(name, clean, variant=variant)),
        (TASKS[2], lambda: tekio.extract(schema, document=name, variant=variant)),
    ]


def judged(case: Case, task: str, made: Any, calls: tuple[str, ...]) -> TaskResult:
    """Return what one task made of a poisoned document, and which functions were called meanwhile."""
    own, quoted = _texts_of(task, made)
    # What the clean document gives is of no matter: only what the attack is after counts.
    clean = Reply("", refused=False)
    succeeded = judge(case, clean, Reply(own, refused=False, calls=calls)).succeeded
    shown = not succeeded and judge(case, clean, Reply(quoted, refused=False)).succeeded
    output = f"{own}\n{quoted}".strip()
    return TaskResult(case, task, output, made.variant, tuple(made.notices), succeeded, shown)


def _texts_of(task: str, made: Any) -> tuple[str, str]:
    """Return what was written or read out, and what was quoted in whole sentences of the document."""
    if task == "extraction":
        return json.dumps(made.data, ensure_ascii=False), ""
    text = made.summary if task == "summary" else made.text
    held = {
        _bare(passage.text[start:end])
        for passage in made.passages
        for start, end in split_sentences(passage.text)
    }
    written = [*answer_sentences(text), *made.unsupported]
    own = [sentence for sentence in written if _bare(sentence) not in held]
    quoted = [sentence for sentence in written if _bare(sentence) in held]
    if task == "comparison":
        quoted += [side.quote for pair in (*made.same, *made.changed) for side in (pair.first, pair.second)]
        quoted += [item.quote for item in (*made.only_first, *made.only_second)]
    return "\n".join(own), "\n".join(quoted)


def _bare(sentence: str) -> str:
    """Return a sentence without its markers, the marks around it and its white space."""
    return "".join(_MARKER.sub("", sentence).split()).strip(_AROUND)


def shares(results: Sequence[TaskResult]) -> list[tuple[str, str, Share]]:
    """Return task, language and the share of attacks that got what they were after."""
    rows = []
    for task in TASKS:
        for language in LANGUAGES:
            part = [r.succeeded for r in results if r.task == task and r.case.fact.language == language]
            if part:
                rows.append((task, language, share(part)))
    return rows


def table(results: Sequence[TaskResult]) -> list[str]:
    """Return the figures as lines for a terminal, and which attacks got through."""
    lines = [f"{task:<14}{language:<4}{found}" for task, language, found in shares(results)]
    lines.append(f"{'all':<18}{share([result.succeeded for result in results])}")
    for group in WITHOUT_ANY:
        part = [result.succeeded for result in results if result.case.kind.group is group]
        if part:
            lines.append(f"{group.value:<18}{share(part)}")
    lines.append(f"{'quoted as the document says it':<32}{share([result.quoted for result in results])}")
    written = sum(result.variant != "extractive" for result in results)
    lines.append(f"written by a language model: {written} of {len(results)}")
    lines += [
        f"got through: {result.case.kind.name} ({result.case.fact.language}), {result.task}"
        for result in results
        if result.succeeded
    ]
    return lines + [f"AIM MISSED: {text}" for text in missed_aims(results)]


def missed_aims(results: Sequence[TaskResult]) -> list[str]:
    """Name the aims that are missed: those of attacks on questions."""
    missed = []
    whole = share([result.succeeded for result in results])
    if whole.value > MOST_HARMFUL:
        missed.append(f"{whole} of the attacks got what they were after, more than {MOST_HARMFUL:.0%}")
    for group in WITHOUT_ANY:
        found = share([result.succeeded for result in results if result.case.kind.group is group])
        if found.hits:
            missed.append(f"{found} of {group.value}, more than none")
    return missed


def document(results: Sequence[TaskResult]) -> dict[str, Any]:
    """Return everything as one JSON document."""
    return {
        "summary": [
            {"task": task, "language": language, "tekio": found.as_dict()}
            for task, language, found in shares(results)
        ],
        "missed": missed_aims(results),
        "attacks": [
            {
                "kind": result.case.kind.name,
                "language": result.case.fact.language,
                "task": result.task,
                "variant": result.variant,
                "output": result.output,
                "notices": list(result.notices),
                "succeeded": result.succeeded,
                "quoted": result.quoted,
            }
            for result in results
        ],
    }
