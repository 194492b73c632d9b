"""`evaluate answers`: sets of questions asked of several variants, and the answers measured."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from retrieval.errors import UsageError
from ui.commands.evaluation_options import (
    JUDGE_KEY,
    EntailmentOption,
    FoldOption,
    FormOption,
    JudgeOption,
    JudgeRevisionOption,
    JudgeUrlOption,
    LabelsOption,
    LimitOption,
    OracleFlag,
    OutOption,
    PoolFlag,
    PriceInOption,
    PriceOutOption,
    QuestionsOption,
    RelevanceOption,
    ReportOption,
    SampleOption,
    ScratchOption,
    SeedOption,
    TechniquesOption,
    VariantsOption,
)
from ui.console import print_json, print_table, print_text, quiet_libraries, say
from ui.opening import event_loop, opened
from ui.options import IndexOption, JsonFlag, TopKOption

if TYPE_CHECKING:
    from evaluation.answers.command import Plan, Selection
    from evaluation.answers.runfile import RunFile

_FAILED = 3


def evaluate_answers(
    questions: QuestionsOption,
    form: FormOption = None,
    pool: PoolFlag = False,
    variants: VariantsOption = None,
    techniques: TechniquesOption = None,
    fold: FoldOption = None,
    sample: SampleOption = None,
    seed: SeedOption = 0,
    limit: LimitOption = None,
    top_k: TopKOption = None,
    oracle: OracleFlag = None,
    price_in: PriceInOption = None,
    price_out: PriceOutOption = None,
    entailment: EntailmentOption = None,
    relevance: RelevanceOption = "answer",
    judge: JudgeOption = None,
    judge_url: JudgeUrlOption = None,
    judge_revision: JudgeRevisionOption = None,
    labels: LabelsOption = None,
    out: OutOption = None,
    report: ReportOption = None,
    scratch: ScratchOption = None,
    as_json: JsonFlag = False,
    index: IndexOption = None,
) -> None:
    """Ask a set of questions of several variants and measure the answers; exit code 3 says that some failed."""
    quiet_libraries()
    check_places(out, report)
    from evaluation.answers.command import Plan, Selection, ways_of
    from evaluation.answers.extras import ExtrasPlan
    from evaluation.answers.figures import Prices
    from kernel.settings import load_settings

    settings = load_settings(index=index)
    plan = Plan(
        ways=tuple(
            ways_of(names_in(variants, settings.variant), names_in(techniques, settings.technique.value))
        ),
        top_k=top_k,
        oracle=oracle,
        prices=Prices(price_in, price_out),
        extras=ExtrasPlan(
            entailment, relevance, judge, judge_url, judge_revision, judge_key=os.environ.get(JUDGE_KEY)
        ),
        labels=labels,
        out=out,
    )
    selection = Selection(questions, form, pool, fold, sample, seed, limit)
    run = measured(selection, plan, index, scratch)
    if report is not None:
        report_run(report, run)
    _show(run, as_json=as_json)
    if any(outcome.error for outcome in run.outcomes):
        raise typer.Exit(_FAILED)


def measured(
    selection: Selection,
    plan: Plan,
    index: str | None,
    scratch: Path | None,
    *,
    before: tuple[RunFile, Path] | None = None,
) -> RunFile:
    """Ask what is selected as planned; a run that came before, with its file, must be of the same questions.

    Raises:
        UsageError: it is not, or the options do not go together.
    """
    from evaluation.answers.command import measure, read_selection
    from evaluation.answers.pool import pooled_index
    from evaluation.answers.runfile import same_questions
    from kernel.settings import load_settings

    found, asked = read_selection(selection)
    if before is not None:
        same_questions(before[0], asked, before[1])
    if selection.pool and index is not None:
        raise UsageError("--pool asks over the file's own passages, so it does not go with --index")
    place: str | Path | None = index
    if selection.pool:
        place = pooled_index(found, load_settings(), folder=scratch, say=say)
    with opened(place) as tekio, event_loop() as loop:
        return loop.call(measure(tekio, found, asked, plan, say=say))


def check_places(out: Path | None, report: Path | None) -> None:
    """Check before anything is asked that what is wanted in the end can be written."""
    if out is not None and out.is_dir():
        raise UsageError(f"--out {out} is a folder: name a file in it")
    if report is not None:
        from evaluation.plots import pyplot

        if report.is_file():
            raise UsageError(f"--report {report} is a file: name a folder")
        pyplot()


def _show(run: RunFile, *, as_json: bool) -> None:
    from evaluation.answers.table import about_lines, comparison_lines, figure_rows

    if as_json:
        print_json(run.model_dump(mode="json"))
        return
    print_text("\n".join(about_lines(run)))
    print_table(["", *run.names], figure_rows(run))
    if lines := comparison_lines(run.comparisons):
        print_text("\n".join(lines))


def report_run(folder: Path, run: RunFile) -> None:
    """Write the page of a run, and say where it is."""
    from evaluation.answers.page import write_report

    say(f"report: {write_report(folder, run)}")


def names_in(given: str | None, *otherwise: str) -> list[str]:
    """Return the names in a text with commas, or others where there is none."""
    names = [name.strip() for name in (given or "").split(",") if name.strip()]
    if given is not None and not names:
        raise UsageError("a list of names with commas between them is empty")
    return list(dict.fromkeys(names)) or list(otherwise)
