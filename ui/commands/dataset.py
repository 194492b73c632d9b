"""`adapt dataset`: a training set of an index, of questions, of feedback and of public files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retrieval.errors import UsageError
from ui.console import print_json, print_text, say
from ui.opening import opened
from ui.options import IndexOption, JsonFlag

if TYPE_CHECKING:
    from adaptation.training_sets.card import DataCard
    from adaptation.training_sets.making import Plan, Public, Questions, Sources
    from kernel.app import Tekio

OVER_PASSAGES = frozenset({"grounded", "refusal", "format", "tone"})
_REHEARSED = 120
_LONGEST = 48
"""Tokens of an answer that is rehearsed, at most; what is cut ends with its last whole sentence."""
KINDS = ("grounded", "refusal", "format", "tone", "qa", "text")
OutOption = Annotated[
    Path, typer.Option("--out", metavar="FOLDER", help="Where the set is written.", show_default=False)
]
QuestionsOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--questions",
        metavar="FILE",
        help="Questions with answers: Tekio's own form, SQuAD, PubMedQA, BEIR, LIT-RAGBench; repeat it.",
        show_default=False,
    ),
]
PoolFlag = Annotated[
    bool,
    typer.Option(
        "--pool", help="Make the rows over the passages that the questions bring, not over an index."
    ),
]
ReadOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--read",
        metavar="FILE",
        help="Rows to take as they are: chat JSON lines, Alpaca, ShareGPT, or preference pairs; repeat it.",
        show_default=False,
    ),
]
SkipFlag = Annotated[
    bool,
    typer.Option(
        "--skip-broken", help="Leave broken rows of --read out, and name them, instead of stopping."
    ),
]
FeedbackFlag = Annotated[
    bool, typer.Option("--feedback", help="Take the answers that people approved, corrected and rejected.")
]
MadeUpOption = Annotated[
    int | None,
    typer.Option(
        "--made-up",
        min=0,
        max=100_000,
        help="Questions to make of the index's own passages; 300 where there is nothing else.",
        show_default=False,
    ),
]
RehearseOption = Annotated[
    int | None,
    typer.Option(
        "--rehearse",
        min=0,
        max=2000,
        help="General requests to learn with the base's own answers, so that it keeps what it can do; 120 beside rows "
        "over passages.",
        show_default=False,
    ),
]
KindsOption = Annotated[
    str,
    typer.Option("--kinds", help=f"Rows to make, of {', '.join(KINDS)}; separated by commas."),
]
AnswersOption = Annotated[
    str,
    typer.Option(
        "--answers", help="How answers are worded: sentence, the passage's own; short, the answer alone."
    ),
]
ToneOption = Annotated[
    str | None,
    typer.Option(
        "--tone", help="Way of speaking that is learned: formal, plain, careful.", show_default=False
    ),
]
TonesOption = Annotated[
    Path | None,
    typer.Option("--tones", metavar="FILE", help="Tones of your own, as JSON.", show_default=False),
]
RemovedOption = Annotated[
    float,
    typer.Option(
        "--removed",
        min=0,
        max=1,
        help="Share of the questions that are asked without their evidence as well, to be refused.",
    ),
]
ChangedOption = Annotated[
    float,
    typer.Option(
        "--changed",
        min=0,
        max=1,
        help="Share of the questions that are asked for something else as well that is not there, to be refused.",
    ),
]
AgainstOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--against",
        metavar="FILE",
        help="Questions to be measured on later: nothing of them or of what they cite is learned; repeat it.",
        show_default=False,
    ),
]
KeepLeaksFlag = Annotated[
    bool, typer.Option("--keep-leaks", help="Leave in what --against shares with the set, and only count it.")
]
ShareOption = Annotated[
    float,
    typer.Option(
        "--held-out", min=0.02, max=0.4, help="Share of the documents to stop by, and again to measure on."
    ),
]
MostOption = Annotated[
    int, typer.Option("--most", min=0, help="Rows of each kind in a part, at most; 0 sets no limit.")
]
LicenceOption = Annotated[
    str,
    typer.Option("--licence", help="Of what the rows are made of; is noted on the card.", show_default=False),
]
TechniqueOption = Annotated[str, typer.Option("--technique", help="How the prompts are built.")]
SeedOption = Annotated[int, typer.Option("--seed", help="Decides all that is drawn by chance.")]


def adapt_dataset(
    out: OutOption,
    questions: QuestionsOption = None,
    pool: PoolFlag = False,
    read: ReadOption = None,
    skip_broken: SkipFlag = False,
    feedback: FeedbackFlag = False,
    made_up: MadeUpOption = None,
    rehearse: RehearseOption = None,
    kinds: KindsOption = "grounded,refusal,format",
    answers: AnswersOption = "sentence",
    tone: ToneOption = None,
    tones: TonesOption = None,
    removed: RemovedOption = 0.35,
    changed: ChangedOption = 0.25,
    against: AgainstOption = None,
    keep_leaks: KeepLeaksFlag = False,
    held_out: ShareOption = 0.1,
    most: MostOption = 0,
    licence: LicenceOption = "",
    technique: TechniqueOption = "zero_shot",
    seed: SeedOption = 0,
    as_json: JsonFlag = False,
    index: IndexOption = None,
) -> None:
    """Make a training set: rows to learn from, to stop by and to measure on, parted by document, with a data card."""
    from adaptation.training_sets.grounded import Mix
    from adaptation.training_sets.making import Plan
    from adaptation.training_sets.wording import shapes
    from adaptation.training_sets.wording import tones as known_tones

    chosen = _kinds(kinds, tone)
    if answers not in ("sentence", "short"):
        raise UsageError(f"--answers is sentence or short, not '{answers}'")
    spoken = None
    if tone is not None:
        spoken = known_tones(tones).get(tone)
        if spoken is None:
            raise UsageError(f"there is no tone '{tone}'; there are {', '.join(known_tones(tones))}")
    plan = Plan(
        mix=Mix(
            answers=answers,  # type: ignore[arg-type]
            technique=technique,
            shapes=shapes(),
            tone=spoken,
            kinds=chosen,  # type: ignore[arg-type]
            removed=removed,
            changed=changed,
        ),
        made_up=_wanted(made_up, any((questions, read, feedback))),
        rehearsed=(_REHEARSED if OVER_PASSAGES & chosen else 0) if rehearse is None else rehearse,
        share=held_out,
        most=most,
        seed=seed,
        licence=licence,
        keep_leaks=keep_leaks,
    )
    card = _made(
        out,
        plan,
        questions or [],
        read or [],
        against or [],
        index,
        pool=pool,
        feedback=feedback,
        strict=not skip_broken,
    )
    if as_json:
        print_json(card.model_dump() | {"folder": str(out.absolute())})
    else:
        print_text("\n".join(_lines(card, out)))


def _kinds(text: str, tone: str | None) -> frozenset[str]:
    chosen = [kind.strip() for kind in text.split(",") if kind.strip()]
    unknown = [kind for kind in chosen if kind not in KINDS]
    if unknown or not chosen:
        raise UsageError(f"there is no kind '{', '.join(unknown)}' of rows; there are {', '.join(KINDS)}")
    if ("tone" in chosen) != (tone is not None):
        raise UsageError("the kind tone and --tone NAME belong together")
    return frozenset(chosen)


def _wanted(made_up: int | None, others: bool) -> int:
    return made_up if made_up is not None else 0 if others else 300


def _made(
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
    from adaptation.training_sets.making import Public, Sources, make_set
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
    from adaptation.training_sets.making import Sources
    from retrieval.passages import PassageIndex

    PassageIndex.require(tekio.settings.place, create=False)
    held = stack.enter_context(closing(PassageIndex(tekio.settings.place, None)))
    corpus = together(read_corpus(held, least=3))
    return Sources(asked, public, (), against, tekio, corpus, str(tekio.settings.place))


def _questions(path: Path) -> Questions:
    from adaptation.training_sets.making import Questions
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


def _lines(card: DataCard, out: Path) -> list[str]:
    kinds = sorted({kind for counts in card.counts.values() for kind in counts})
    width = max(len(part) for part in card.counts)
    lines = [f"{'':<{width}}  documents" + "".join(f"  {kind:>10}" for kind in kinds)]
    for part, counts in card.counts.items():
        lines.append(
            f"{part:<{width}}  {card.documents[part]:>9,}"
            + "".join(f"  {counts.get(kind, 0):>10,}" for kind in kinds)
        )
    for source in card.sources:
        left = f", {source.left_out:,} left out" if source.left_out else ""
        lines.append(f"from {source.name} ({source.form}): {source.rows:,} rows{left}")
    lines.append(f"said twice and taken out: {card.duplicates:,}")
    for leak in card.leakage:
        lines.append(
            f"shared with {leak.evaluation} ({leak.questions:,} questions): {leak.same:,} ask the same, {leak.alike:,} "
            f"nearly, {leak.seen:,} of documents cited there, {leak.copied:,} texts copied; {leak.removed:,} taken out"
        )
    lines.append(
        f"{out}: `tekio adapt train --data {out} --name NAME` learns from it; its card is {out / 'card.json'}"
    )
    return lines
