"""`adapt ensemble` and `evaluate ensemble`: rules fitted to recorded answers, and what an ensemble is worth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ui.commands.evaluation_options import (
    FoldOption,
    FormOption,
    LimitOption,
    PoolFlag,
    QuestionsOption,
    SampleOption,
    ScratchOption,
    SeedOption,
)
from ui.console import print_json, print_table, print_text, quiet_libraries, say
from ui.opening import event_loop, opened
from ui.options import IndexOption, JsonFlag

if TYPE_CHECKING:
    from adaptation.ensembles.command import Adapted
    from evaluation.answers.command import Selection
    from evaluation.answers.items import QuestionSet
    from evaluation.answers.runfile import QuestionsAsked

NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="The ensemble, [ensembles.NAME] in the settings.")
]
WithoutFlag = Annotated[
    bool,
    typer.Option(
        "--without-documents",
        help="Ask each answerable question once more without its documents, where a refusal is right.",
    ),
]
ReportOption = Annotated[
    Path | None,
    typer.Option("--report", metavar="FILE", help="Write the report there, in Markdown.", show_default=False),
]


def adapt_ensemble(
    name: NameArgument,
    questions: QuestionsOption,
    form: FormOption = None,
    pool: PoolFlag = False,
    fold: FoldOption = None,
    sample: SampleOption = None,
    seed: SeedOption = 0,
    limit: LimitOption = None,
    without_documents: WithoutFlag = False,
    scratch: ScratchOption = None,
    as_json: JsonFlag = False,
    index: IndexOption = None,
) -> None:
    """Fit an ensemble's choice or its members' weights to questions; figures are of documents that were left out."""
    quiet_libraries()
    from adaptation.ensembles.command import adapt_ensemble as adapt
    from evaluation.answers.command import Selection
    from evaluation.ensembles.askings import askings_of

    selection = Selection(questions, form, pool, fold, sample, seed, limit)
    found, asked, place = _chosen(selection, index, scratch)
    if _mixes_tokens(name):
        _adapt_tokens(name, found, place, without_documents=without_documents, as_json=as_json)
        return
    askings = askings_of(found.items, without_documents=without_documents)
    with opened(place) as tekio, event_loop() as loop:
        adapted = loop.call(adapt(tekio, name, askings, asked.model_dump(mode="json"), say=say))
    if as_json:
        print_json({"ensemble": name, "file": str(adapted.path), "rule": adapted.rule, **adapted.figures})
    else:
        print_text("\n".join(_lines(name, adapted)))


def _mixes_tokens(name: str) -> bool:
    from kernel.ensembles.settings import TOKEN_RULES
    from kernel.settings import load_settings

    told = load_settings().ensembles.get(name)
    return told is not None and told.rule in TOKEN_RULES


def _adapt_tokens(
    name: str, found: QuestionSet, place: str | Path | None, *, without_documents: bool, as_json: bool
) -> None:
    """Fit the weights of an ensemble that mixes next tokens to the expected answers."""
    from adaptation.ensembles.token_weights import HeldOut, fit_token_ensemble
    from retrieval.errors import UsageError

    if without_documents:
        raise UsageError(
            "--without-documents goes with rules over whole answers: a mixture is fitted to answers"
        )
    rows = [
        HeldOut(item.question, item.answers[0], item.group or item.id, item.language)
        for item in found.items
        if item.answerable and item.answers
    ]
    with opened(place) as tekio, event_loop() as loop:
        made, path = loop.call(fit_token_ensemble(tekio, name, rows, say=say))
    if as_json:
        print_json({"ensemble": name, "file": str(path.absolute()), **made.model_dump(mode="json")})


def evaluate_ensemble(
    name: NameArgument,
    questions: QuestionsOption,
    form: FormOption = None,
    pool: PoolFlag = False,
    fold: FoldOption = None,
    sample: SampleOption = None,
    seed: SeedOption = 0,
    limit: LimitOption = None,
    without_documents: WithoutFlag = False,
    report: ReportOption = None,
    scratch: ScratchOption = None,
    as_json: JsonFlag = False,
    index: IndexOption = None,
) -> None:
    """Show an ensemble beside its members: worth, cost and time, what each member adds, how alike they fail."""
    quiet_libraries()
    from evaluation.answers.command import Selection
    from evaluation.ensembles.askings import askings_of
    from evaluation.ensembles.command import evaluate_ensemble as evaluate
    from evaluation.ensembles.report import ALIKE_HEAD, HEAD, alike_rows, lines_of, markdown, rows_of

    selection = Selection(questions, form, pool, fold, sample, seed, limit)
    found, asked, place = _chosen(selection, index, scratch)
    askings = askings_of(found.items, without_documents=without_documents)
    with opened(place) as tekio, event_loop() as loop:
        measured: dict[str, Any] = loop.call(evaluate(tekio, name, askings, asked.digest, say=say))
    if report is not None:
        report.write_text(markdown(measured), encoding="utf-8")
        say(f"report: {report}")
    if as_json:
        print_json(measured)
        return
    print_table(list(HEAD), rows_of(measured))
    print_table(list(ALIKE_HEAD), alike_rows(measured))
    print_text("\n".join(lines_of(measured)))


def _chosen(
    selection: Selection, index: str | None, scratch: Path | None
) -> tuple[QuestionSet, QuestionsAsked, str | Path | None]:
    """Return the questions, what names them, and the index to ask them over."""
    from evaluation.answers.command import read_selection
    from evaluation.answers.pool import pooled_index
    from kernel.settings import load_settings
    from retrieval.errors import UsageError

    found, asked = read_selection(selection)
    if not selection.pool:
        return found, asked, index
    if index is not None:
        raise UsageError("--pool asks over the file's own passages, so it does not go with --index")
    return found, asked, pooled_index(found, load_settings(), folder=scratch, say=say)


def _lines(name: str, adapted: Adapted) -> list[str]:
    figures = adapted.figures
    lines = [
        f"{name}: rule {adapted.rule}, {figures['questions']} questions of {figures['documents']} documents; worth of "
        "an answer on documents left out:"
    ]
    for way, found in (*figures["members"].items(), (name, figures["ensemble"])):
        low, high = found["interval"]
        lines.append(f"  {way}: {found['worth']:.3f} [{low:.3f}, {high:.3f}]")
    if figures["refusing_all"]:
        lines.append(f"  refusing every question: {figures['refusing_all']:.3f}")
    low, high = figures["gain_interval"]
    lines.append(
        f"{name} less its best member, {figures['best_member']}: {figures['gain']:+.3f} [{low:+.3f}, {high:+.3f}], "
        f"p = {figures['p_value']:.4f}"
    )
    if low <= 0:
        lines.append("no gain that is beyond chance: the best member alone is cheaper")
    for kind, weights in {"all": figures.get("weights"), **figures.get("kinds", {})}.items():
        if weights is not None:
            said = ", ".join(f"{member} {weight:g}" for member, weight in weights.items())
            lines.append(f"weights for {kind} questions: {said}")
    return [*lines, f"written to {adapted.path}"]
