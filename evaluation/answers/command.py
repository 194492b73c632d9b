"""What `tekio evaluate answers` does: a set of questions and a Tekio in, a run out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evaluation.answers.asking import Way, ask_each, check_variants, ways_of
from evaluation.answers.extras import Extras, ExtrasPlan, make_extras
from evaluation.answers.figures import Prices, figures, holm, paired_tests
from evaluation.answers.items import Item, QuestionSet, digest
from evaluation.answers.journal import Journal, Key, write_whole
from evaluation.answers.judge import agreement, read_labels
from evaluation.answers.outcome import Outcome
from evaluation.answers.reading import read_questions
from evaluation.answers.runfile import FORMAT, QuestionsAsked, RunFile, program
from evaluation.answers.sampling import chosen_items
from kernel.app import Tekio

_EVERY = 10


@dataclass(frozen=True, slots=True)
class Selection:
    """Which questions: the file, its form, the part of it, and whether its own passages are asked over."""

    path: Path
    form: str | None = None
    pool: bool = False
    fold: str | None = None
    sample: int | None = None
    seed: int = 0
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be measured, and by what beside the program's own figures."""

    ways: tuple[Way, ...]
    top_k: int | None = None
    oracle: bool | None = None
    prices: Prices = field(default_factory=Prices)
    extras: ExtrasPlan = field(default_factory=ExtrasPlan)
    labels: Path | None = None
    out: Path | None = None


def read_selection(selection: Selection) -> tuple[QuestionSet, QuestionsAsked]:
    """Return the questions that are chosen, and what names them.

    Raises:
        UsageError: the file cannot be read, a row of it is broken, or nothing is left.
    """
    whole = read_questions(selection.path, form=selection.form)
    items = chosen_items(
        whole.items,
        fold=selection.fold,
        sample=selection.sample,
        seed=selection.seed,
        limit=selection.limit,
    )
    if not selection.pool:
        # Filters that name the set's own passages find nothing in another index.
        own = {document.id for document in whole.pool}
        items = tuple(replace(item, where=()) if own else item for item in items)
    asked = QuestionsAsked(
        path=str(selection.path),
        form=whole.form,
        name=whole.name,
        digest=digest(items, whole.pool if selection.pool else ()),
        count=len(items),
        answerable=sum(item.answerable for item in items),
        pool=selection.pool,
        fold=selection.fold,
        sample=selection.sample,
        seed=selection.seed,
        limit=selection.limit,
    )
    return replace(whole, items=items), asked


async def measure(
    tekio: Tekio,
    found: QuestionSet,
    asked: QuestionsAsked,
    plan: Plan,
    *,
    say: Callable[[str], None],
) -> RunFile:
    """Ask every question in every way and return the run, which is in the plan's file too.

    Where the same run was begun and killed, it goes on where it stopped.

    Raises:
        UsageError: a variant or a model is not there.
        TekioError: the judge does not answer, or a file cannot be written.
    """
    check_variants(tekio, plan.ways)
    labels = read_labels(plan.labels) if plan.labels else None
    extras = make_extras(plan.extras, tekio, say)
    about = _about(tekio, plan, extras)
    journal = Journal(plan.out, {**about, "questions": asked.digest}) if plan.out else None
    done = _resumed(journal, found.items, plan.ways, say)
    total = len(found.items) * len(plan.ways)
    counted = len(done)

    def note(outcome: Outcome) -> None:
        nonlocal counted
        counted += 1
        if journal is not None:
            journal.add(outcome)
        if counted % _EVERY == 0 or counted == total:
            say(f"{counted:,} of {total:,} answers, {outcome.run}")

    with journal.writing(done) if journal else nullcontext():
        outcomes = await ask_each(
            tekio,
            found.items,
            plan.ways,
            more=extras,
            oracle=plan.oracle,
            top_k=plan.top_k,
            done=done,
            on_outcome=note,
        )
    items = {item.id: item for item in found.items}
    run = _run(found, asked, plan, extras, about, outcomes)
    if extras.judge is not None:
        agreed = agreement(outcomes, items, labels)
        run = run.model_copy(update={"judge": {**extras.judge.about(), **agreed}})
    if plan.out is not None and journal is not None:
        write_whole(plan.out, run.model_dump(mode="json"))
        journal.remove()
    return run


def _resumed(
    journal: Journal | None, items: Sequence[Item], ways: Sequence[Way], say: Callable[[str], None]
) -> dict[Key, Outcome]:
    if journal is None:
        return {}
    wanted = {(item.id, way.name) for way in ways for item in items}
    done = {key: outcome for key, outcome in journal.outcomes().items() if key in wanted}
    if done:
        say(f"{len(done):,} of {len(wanted):,} answers are there already, from a run that did not end")
    elif journal.path.exists():
        say(f"{journal.path} is of another run or program: it is begun anew")
    return done


def _about(tekio: Tekio, plan: Plan, extras: Extras) -> dict[str, Any]:
    """Return all that an outcome depends on, beside the questions, as JSON values."""
    settings = tekio.settings
    documents = sorted(
        [row.document, row.chunks, row.characters, row.ingested_at] for row in tekio.documents()
    )
    return {
        "version": program().version,
        "source": program().source,
        "documents": len(documents),
        "index": hashlib.sha256(json.dumps(documents).encode()).hexdigest()[:16],
        "embedder": tekio.embedder.signature.as_dict(),
        "generator": settings.generator,
        "settings": settings.model_dump(mode="json", exclude={"cache", "memory", "index", "store"}),
        "ways": [way.name for way in plan.ways],
        "top_k": plan.top_k,
        "oracle": plan.oracle,
        "methods": extras.methods(),
        "judge": extras.judge.about() if extras.judge else None,
    }


def _run(
    found: QuestionSet,
    asked: QuestionsAsked,
    plan: Plan,
    extras: Extras,
    about: dict[str, Any],
    outcomes: Sequence[Outcome],
) -> RunFile:
    items = {item.id: item for item in found.items}
    by_run = {way.name: [one for one in outcomes if one.run == way.name] for way in plan.ways}
    runs = [
        {
            "name": way.name,
            "variant": way.variant,
            "technique": way.technique,
            "figures": figures(by_run[way.name], items, plan.prices),
        }
        for way in plan.ways
    ]
    first, *others = by_run
    tests = holm(
        [test for other in others for test in paired_tests(first, by_run[first], other, by_run[other])]
    )
    return RunFile(
        format=FORMAT,
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        questions=asked,
        about=about,
        methods=extras.methods(),
        judge=None,
        ways=[(way.variant, way.technique) for way in plan.ways],
        runs=runs,
        comparisons=[test.as_dict() for test in tests],
        notices=[*found.notices, *_label_notice(found.items)],
        items=list(found.items),
        outcomes=list(outcomes),
    )


def _label_notice(items: Sequence[Item]) -> list[str]:
    labels = [item.label for item in items if item.label is not None]
    if not labels:
        return []
    most = max(sorted(set(labels)), key=labels.count)
    return [f"always saying '{most}' names the class of {labels.count(most)} of {len(labels)} questions"]


__all__ = ["Plan", "Selection", "measure", "read_selection", "ways_of"]
