"""`evaluate regress`: answers measured against a stored run."""

from __future__ import annotations

import os
from pathlib import Path

import typer

from retrieval.errors import UsageError
from ui.commands.evaluate_answers import check_places, measured, names_in, report_run
from ui.commands.evaluation_options import (
    JUDGE_KEY,
    AlphaOption,
    BaselineOption,
    EntailmentOption,
    JudgeOption,
    JudgeRevisionOption,
    JudgeUrlOption,
    OutOption,
    QuestionsAgainOption,
    RelevanceOption,
    ReportOption,
    RunOption,
    ScratchOption,
    TechniquesOption,
    VariantsOption,
)
from ui.console import print_json, print_text, quiet_libraries, say
from ui.options import IndexOption, JsonFlag

_REGRESSED = 3


def evaluate_regress(
    baseline: BaselineOption,
    run: RunOption = None,
    alpha: AlphaOption = 0.05,
    questions: QuestionsAgainOption = None,
    variants: VariantsOption = None,
    techniques: TechniquesOption = None,
    entailment: EntailmentOption = None,
    relevance: RelevanceOption = "answer",
    judge: JudgeOption = None,
    judge_url: JudgeUrlOption = None,
    judge_revision: JudgeRevisionOption = None,
    out: OutOption = None,
    report: ReportOption = None,
    scratch: ScratchOption = None,
    as_json: JsonFlag = False,
    index: IndexOption = None,
) -> None:
    """Compare with a stored run; exit code 3 says that a figure fell by more than chance."""
    quiet_libraries()
    check_places(out, report)
    from evaluation.answers.command import Plan, Selection, ways_of
    from evaluation.answers.extras import ExtrasPlan
    from evaluation.answers.regress import regress
    from evaluation.answers.runfile import read_run

    before = read_run(baseline)
    if run is not None:
        after = read_run(run)
    else:
        asked = before.questions
        if out is not None and out.resolve() == baseline.resolve():
            raise UsageError(f"--out would write over the baseline {baseline}: name another file")
        chosen = names_in(variants, *dict.fromkeys(variant for variant, _ in before.ways))
        techniques_chosen = names_in(techniques, *dict.fromkeys(technique for _, technique in before.ways))
        plan = Plan(
            ways=tuple(ways_of(chosen, techniques_chosen)),
            top_k=before.about.get("top_k"),
            oracle=before.about.get("oracle"),
            extras=ExtrasPlan(
                entailment, relevance, judge, judge_url, judge_revision, judge_key=os.environ.get(JUDGE_KEY)
            ),
            out=out,
        )
        selection = Selection(
            questions or Path(asked.path),
            asked.form,
            asked.pool,
            asked.fold,
            asked.sample,
            asked.seed,
            asked.limit,
        )
        after = measured(selection, plan, index, scratch, before=(before, baseline))
    found = regress(before, after, baseline, alpha=alpha)
    for notice in found.notices:
        say(notice)
    if report is not None:
        report_run(report, after)
    if as_json:
        print_json(found.as_dict())
    else:
        print_text("\n".join(found.lines()))
    if found.falls:
        raise typer.Exit(_REGRESSED)
