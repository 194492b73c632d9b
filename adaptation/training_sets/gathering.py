"""Rows of a training set from each of its sources: questions, public files, feedback, the base, the index's texts."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence

from adaptation.changed_questions import QuestionChanger
from adaptation.corpus import Part
from adaptation.training_sets.card import SourceCard
from adaptation.training_sets.feedback_rows import feedback_rows
from adaptation.training_sets.grounded import GroundedRows
from adaptation.training_sets.made_up import make_up
from adaptation.training_sets.parting import Parts
from adaptation.training_sets.plain_rows import class_row, pair_row, text_rows
from adaptation.training_sets.plan import Plan, Public, Questions, Sources
from adaptation.training_sets.rehearsal import rehearsal_rows
from adaptation.training_sets.rows import Row
from retrieval.errors import UsageError

_ASKED_AT_ONCE = 50


async def gathered(
    sources: Sources, plan: Plan, parts: Parts, say: Callable[[str], None]
) -> list[tuple[list[Row], SourceCard]]:
    """Return the rows of each source, with the card of it.

    Raises:
        UsageError: a source needs an index or a base, and there is none.
    """
    return [
        *[await _of_questions(each, sources, plan, parts, say) for each in _with_made_up(sources, plan)],
        *_of_public(sources.public),
        *([await _of_feedback(sources, plan, parts)] if sources.feedback else []),
        *([_rehearsed(sources, plan, say)] if plan.rehearsed else []),
        *([_of_texts(sources, parts)] if "text" in plan.mix.kinds and sources.corpus is not None else []),
    ]


def _with_made_up(sources: Sources, plan: Plan) -> list[Questions]:
    """Return the files of questions, and the made-up ones as one more."""
    found = list(sources.questions)
    if plan.made_up and sources.corpus is not None:
        pieces = [row for row in sources.corpus.passages.values() if row.language in ("en", "ja")]
        random.Random(plan.seed).shuffle(pieces)  # noqa: S311 - no secret
        each = max(1, -(-plan.made_up // max(1, len(pieces))))
        items = [
            item for row in pieces for item in make_up(row, row.name, row.language, most=each, seed=plan.seed)
        ][: plan.made_up]
        found.append(Questions("made-up questions", "index", items))
    return found


async def _of_questions(
    each: Questions, sources: Sources, plan: Plan, parts: Parts, say: Callable[[str], None]
) -> tuple[list[Row], SourceCard]:
    rows: list[Row] = []
    left_out = 0
    classes = sorted({item.label for item in each.items if item.label})
    over_passages = {"grounded", "refusal", "format", "tone"}.intersection(plan.mix.kinds)
    changer = QuestionChanger((item.question, item.language) for item in each.items)
    makers = (
        [
            GroundedRows(sources.asking, plan.mix, changer, parts.documents[part], seed=plan.seed)
            for part in Part
            if parts.documents[part]
        ]
        if sources.asking is not None and over_passages
        else []
    )
    for number, item in enumerate(each.items, start=1):
        made: list[Row] = []
        for maker in makers:
            made += await maker.of(item, each.name)
            if made and item.answerable:
                break
        group = parts.names.get(item.places[0][0]) if item.places else None
        own = group or f"{each.name}:{item.places[0][0] if item.places else item.id}"
        if "qa" in plan.mix.kinds:
            pair = pair_row(item, own, each.name)
            text = each.texts.get(item.places[0][0]) if item.places else None
            labelled = class_row(item, text, classes, own, each.name) if text and len(classes) > 1 else None
            made += [row for row in (pair, labelled) if row is not None]
        left_out += not made
        rows += made
        if number % _ASKED_AT_ONCE == 0:
            say(f"{each.name}: {number:,} of {len(each.items):,} questions, {len(rows):,} rows")
    return rows, SourceCard(
        name=each.name, form=each.form, rows=len(rows), licence=each.licence, left_out=left_out
    )


def _of_public(public: Sequence[Public]) -> Iterable[tuple[list[Row], SourceCard]]:
    for each in public:
        rows: list[Row] = list(each.rows.rows)
        yield (
            rows,
            SourceCard(
                name=each.name,
                form=each.rows.form,
                rows=len(rows),
                licence=each.licence,
                left_out=len(each.rows.broken),
            ),
        )


async def _of_feedback(sources: Sources, plan: Plan, parts: Parts) -> tuple[list[Row], SourceCard]:
    if sources.asking is None:
        raise UsageError("feedback is on answers over an index: name it by --index")
    chats, pairs = await feedback_rows(
        sources.feedback, sources.asking, parts.names, technique=plan.mix.technique, sentences=0
    )
    rows: list[Row] = [*chats, *pairs]
    left_out = len(sources.feedback) - len(rows)
    return rows, SourceCard(name="feedback", form="feedback", rows=len(rows), left_out=max(0, left_out))


def _rehearsed(sources: Sources, plan: Plan, say: Callable[[str], None]) -> tuple[list[Row], SourceCard]:
    if sources.base_answer is None:
        raise UsageError("what is rehearsed is answered by the base, and there is none")
    rows: list[Row] = list(rehearsal_rows(plan.rehearsed, sources.base_answer, seed=plan.seed, say=say))
    return rows, SourceCard(
        name="rehearsal", form="base", rows=len(rows), left_out=plan.rehearsed - len(rows)
    )


def _of_texts(sources: Sources, parts: Parts) -> tuple[list[Row], SourceCard]:
    assert sources.corpus is not None
    pieces = list(sources.corpus.passages.values())
    groups = {group: name for part in Part for group, name in parts.groups[part].items()}
    languages = {row.id: row.language for row in pieces}
    rows: list[Row] = list(text_rows(pieces, groups, languages, sources.index_name))
    card = SourceCard(name=sources.index_name, form="index", rows=len(rows), left_out=len(pieces) - len(rows))
    return rows, card
