"""What a training set is made of, gathered: an index, files of questions and rows, feedback, the base's own answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from retrieval.errors import UsageError
from ui.console import say
from ui.opening import opened

if TYPE_CHECKING:
    from adaptation.training_sets.card import DataCard
    from adaptation.training_sets.plan import Plan, Public, Questions, Sources
    from kernel.app import Tekio

_LONGEST = 48
"""Tokens of an answer that is rehearsed, at most; what is cut ends with its last whole sentence."""


def made_set(
    out: Path,
    plan: Plan,
    questions: list[Path],
    read: list[Path],
    against: list[Path],
    index: str | None,
    *,
    pool: bool,
    feedback: bool,
    strict: bool,
) -> DataCard:
    """Make a training set of what was named, and return its card.

    Args:
        out: where it is written.
        plan: says what is made.
        questions: files of questions with answers.
        read: files of rows that are taken as they are.
        against: files of questions that nothing may be learned of.
        index: folder or address; None takes the settings'.
        pool: make rows over the passages that the questions bring.
        feedback: take what people said of answers.
        strict: stop at a broken row of `read`.

    Raises:
        UsageError: they do not fit each other.
        TekioError: a file cannot be read, or there is no index.
    """
    from adaptation.training_sets.making import make_set
    from adaptation.training_sets.plan import Public, Sources
    from adaptation.training_sets.public import read_public

    public = []
    for path in read:
        rows = read_public(path, strict=strict)
        for line in rows.broken:
            say(f"{path}: left out: {line}")
        public.append(Public(path.name, rows))
    asked = [_questions(path) for path in questions]
    measured = [_questions(path) for path in against]
    needs_index = bool(asked or plan.made_up or feedback or "text" in plan.mix.kinds)
    base_answer = _base_answer() if plan.rehearsed else None
    if not needs_index or _are_pairs(plan, feedback=feedback):
        alone = Sources(asked, public, against=measured, base_answer=base_answer)
        return asyncio.run(make_set(alone, plan, out, say=say))
    if pool:
        index = _pooled(questions, index)
    with ExitStack() as stack:
        tekio = stack.enter_context(opened(index))
        said = tekio.memory.feedback(everybody=True) if feedback else []
        sources = _over(tekio, asked, public, measured, stack)
        return asyncio.run(
            make_set(replace(sources, feedback=said, base_answer=base_answer), plan, out, say=say)
        )


def _are_pairs(plan: Plan, *, feedback: bool) -> bool:
    """Tell whether nothing is made over passages, so that no index is needed."""
    return set(plan.mix.kinds) == {"qa"} and not plan.made_up and not feedback


def _base_answer() -> Callable[[str], str | None]:
    """Return what the base says to a request; it is loaded at the first one."""
    from adaptation.training_sets.rehearsal import whole_sentences
    from kernel.answer import FinishReason
    from kernel.chat.generation import Sampling
    from kernel.chat.language_model import LanguageModel
    from kernel.model_store import ModelStore
    from kernel.settings import load_settings

    settings = load_settings()
    found = ModelStore(settings.cache, offline=settings.offline, on_message=say).resolve(settings.generator)
    model = LanguageModel(found.name, found.folder, dtype=settings.dtype, threads=settings.threads)

    def answer(request: str) -> str | None:
        done = model.generate([{"role": "user", "content": request}], Sampling(max_new_tokens=_LONGEST))
        return done.text.strip() if done.finish_reason is FinishReason.STOP else whole_sentences(done.text)

    return answer


def _over(
    tekio: Tekio, asked: list[Questions], public: list[Public], against: list[Questions], stack: ExitStack
) -> Sources:
    from adaptation.corpus import read_corpus, together
    from adaptation.training_sets.plan import Sources
    from retrieval.passages import PassageIndex

    PassageIndex.require(tekio.settings.place, create=False)
    held = stack.enter_context(closing(PassageIndex(tekio.settings.place, None)))
    corpus = together(read_corpus(held, least=3))
    return Sources(asked, public, (), against, tekio, corpus, str(tekio.settings.place))


def _questions(path: Path) -> Questions:
    from adaptation.training_sets.plan import Questions
    from evaluation.answers.reading import read_questions

    found = read_questions(path)
    for notice in found.notices:
        say(f"{path}: {notice}")
    return Questions(found.name, found.form, found.items, {row.id: row.text for row in found.pool})


def _pooled(questions: list[Path], index: str | None) -> str:
    """Return the index of the passages that one file of questions brings."""
    from evaluation.answers.pool import pooled_index
    from evaluation.answers.reading import read_questions
    from kernel.settings import load_settings

    if len(questions) != 1 or index is not None:
        raise UsageError("--pool is over the passages of one file of --questions, and without --index")
    return str(pooled_index(read_questions(questions[0]), load_settings(), say=say))
