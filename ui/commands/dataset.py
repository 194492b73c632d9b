"""`adapt dataset`: a training set of an index, of questions, of feedback and of public files."""

from __future__ import annotations

from retrieval.errors import UsageError
from ui.commands.dataset_options import (
    KINDS,
    AgainstOption,
    AnswersOption,
    ChangedOption,
    FeedbackFlag,
    KeepLeaksFlag,
    KindsOption,
    LicenceOption,
    MadeUpOption,
    MostOption,
    OutOption,
    PoolFlag,
    QuestionsOption,
    ReadOption,
    RehearseOption,
    RemovedOption,
    ShareOption,
    SkipFlag,
    TechniqueOption,
    ToneOption,
    TonesOption,
)
from ui.commands.dataset_sources import made_set
from ui.console import print_json, print_text
from ui.options import IndexOption, JsonFlag, SeedOption
from ui.training_set_text import set_lines

OVER_PASSAGES = frozenset({"grounded", "refusal", "format", "tone"})
_REHEARSED = 120


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
    from adaptation.training_sets.plan import Plan
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
    card = made_set(
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
        print_text("\n".join(set_lines(card, out)))


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
