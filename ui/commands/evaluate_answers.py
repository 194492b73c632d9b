"""`evaluate answers` and `evaluate regress`: answers measured, and measured against a stored run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retrieval.errors import UsageError
from ui.console import print_json, print_table, print_text, quiet_libraries, say
from ui.opening import event_loop, opened
from ui.options import IndexOption, JsonFlag, TopKOption

if TYPE_CHECKING:
    from evaluation.answers.command import Plan, Selection
    from evaluation.answers.runfile import RunFile

_KEY = "TEKIO_JUDGE_KEY"
_REGRESSED = 3

QuestionsOption = Annotated[
    Path,
    typer.Option(
        "--questions",
        metavar="FILE",
        help="JSON lines of our own, SQuAD, PubMedQA or LIT-RAGBench, or a folder in the form of BEIR.",
    ),
]
FormOption = Annotated[
    str | None,
    typer.Option(
        "--form",
        help="Of the file: own, squad, pubmedqa, lit or beir; told by what it holds unless given.",
        show_default=False,
    ),
]
PoolFlag = Annotated[
    bool,
    typer.Option("--pool", help="Ask over the passages that the file brings, in an index of their own."),
]
FoldOption = Annotated[
    str | None,
    typer.Option(
        "--fold",
        metavar="N/M",
        help="Only questions of this part of the documents, such as 1/2: tune on one part, report the other.",
        show_default=False,
    ),
]
SampleOption = Annotated[
    int | None,
    typer.Option(
        "--sample",
        min=1,
        help="Draw so many questions, each language, answerable and not, in its share.",
        show_default=False,
    ),
]
SeedOption = Annotated[int, typer.Option("--seed", help="Of the draw.")]
LimitOption = Annotated[
    int | None, typer.Option("--limit", min=1, help="Take the first so many.", show_default=False)
]
VariantsOption = Annotated[
    str | None,
    typer.Option(
        "--variants",
        metavar="NAME,…",
        help="Who answers, with commas; the first is what the others are compared with.",
        show_default=False,
    ),
]
TechniquesOption = Annotated[
    str | None,
    typer.Option(
        "--techniques",
        metavar="NAME,…",
        help="How prompts are built, with commas; the settings' own unless given.",
        show_default=False,
    ),
]
OracleFlag = Annotated[
    bool | None,
    typer.Option(
        "--oracle/--no-oracle",
        help="Ask a second time over the right passage alone; unless given, extractive answers only.",
        show_default=False,
    ),
]
PriceInOption = Annotated[
    float | None,
    typer.Option("--price-in", min=0, help="Price of a million prompt tokens.", show_default=False),
]
PriceOutOption = Annotated[
    float | None,
    typer.Option("--price-out", min=0, help="Price of a million generated tokens.", show_default=False),
]
EntailmentOption = Annotated[
    str | None,
    typer.Option(
        "--entailment",
        metavar="MODEL",
        help="Tell faithfulness by this entailment model; our own check unless given.",
        show_default=False,
    ),
]
RelevanceOption = Annotated[
    str,
    typer.Option(
        "--relevance",
        help="Compare the question with the answer, or with questions that the judge, else base, writes from it.",
    ),
]
JudgeOption = Annotated[
    str | None,
    typer.Option(
        "--judge",
        metavar="MODEL",
        help="Grade answers: base, an adapter, or a server's model.",
        show_default=False,
    ),
]
JudgeUrlOption = Annotated[
    str | None,
    typer.Option(
        "--judge-url",
        metavar="URL",
        help=f"The judge's server, which speaks the OpenAI protocol; its key is in {_KEY}.",
        show_default=False,
    ),
]
JudgeRevisionOption = Annotated[
    str | None,
    typer.Option("--judge-revision", help="Which version of the judge the server runs.", show_default=False),
]
LabelsOption = Annotated[
    Path | None,
    typer.Option(
        "--labels",
        metavar="FILE",
        help="JSON lines of id and label (correct, partly, incorrect) that the judge is held against.",
        show_default=False,
    ),
]
OutOption = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FILE",
        help="Write the run there; one that was killed goes on where it stopped.",
        show_default=False,
    ),
]
ReportOption = Annotated[
    Path | None,
    typer.Option(
        "--report", metavar="DIR", help="Write plots and a page with every answer there.", show_default=False
    ),
]
ScratchOption = Annotated[
    Path | None,
    typer.Option(
        "--scratch",
        metavar="DIR",
        help="Where --pool keeps its index for the next run; beside the models unless given.",
        show_default=False,
    ),
]


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
    _check_places(out, report)
    from evaluation.answers.command import Plan, Selection, ways_of
    from evaluation.answers.extras import ExtrasPlan
    from evaluation.answers.figures import Prices
    from kernel.settings import load_settings

    settings = load_settings(index=index)
    plan = Plan(
        ways=tuple(ways_of(_names(variants, settings.variant), _names(techniques, settings.technique.value))),
        top_k=top_k,
        oracle=oracle,
        prices=Prices(price_in, price_out),
        extras=ExtrasPlan(
            entailment, relevance, judge, judge_url, judge_revision, judge_key=os.environ.get(_KEY)
        ),
        labels=labels,
        out=out,
    )
    selection = Selection(questions, form, pool, fold, sample, seed, limit)
    run = _measured(selection, plan, index, scratch)
    if report is not None:
        _report(report, run)
    _show(run, as_json=as_json)
    if any(outcome.error for outcome in run.outcomes):
        raise typer.Exit(_REGRESSED)


BaselineOption = Annotated[
    Path, typer.Option("--baseline", metavar="RUN.json", help="What `evaluate answers --out` wrote.")
]
RunOption = Annotated[
    Path | None,
    typer.Option(
        "--run",
        metavar="RUN.json",
        help="The run to compare with it; measured now, as the baseline was, unless given.",
        show_default=False,
    ),
]
AlphaOption = Annotated[
    float, typer.Option("--alpha", min=0.0001, max=0.5, help="Below this a fall is significant.")
]
QuestionsAgainOption = Annotated[
    Path | None,
    typer.Option(
        "--questions", metavar="FILE", help="Where the baseline's questions are now.", show_default=False
    ),
]


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
    _check_places(out, report)
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
        chosen = _names(variants, *dict.fromkeys(variant for variant, _ in before.ways))
        techniques_chosen = _names(techniques, *dict.fromkeys(technique for _, technique in before.ways))
        plan = Plan(
            ways=tuple(ways_of(chosen, techniques_chosen)),
            top_k=before.about.get("top_k"),
            oracle=before.about.get("oracle"),
            extras=ExtrasPlan(
                entailment, relevance, judge, judge_url, judge_revision, judge_key=os.environ.get(_KEY)
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
        after = _measured(selection, plan, index, scratch, before=(before, baseline))
    found = regress(before, after, baseline, alpha=alpha)
    for notice in found.notices:
        say(notice)
    if report is not None:
        _report(report, after)
    if as_json:
        print_json(found.as_dict())
    else:
        print_text("\n".join(found.lines()))
    if found.falls:
        raise typer.Exit(_REGRESSED)


def _measured(
    selection: Selection,
    plan: Plan,
    index: str | None,
    scratch: Path | None,
    *,
    before: tuple[RunFile, Path] | None = None,
) -> RunFile:
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


def _check_places(out: Path | None, report: Path | None) -> None:
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


def _report(folder: Path, run: RunFile) -> None:
    from evaluation.answers.page import write_report

    say(f"report: {write_report(folder, run)}")


def _names(given: str | None, *otherwise: str) -> list[str]:
    """Return the names in a text with commas, or others where there is none."""
    names = [name.strip() for name in (given or "").split(",") if name.strip()]
    if given is not None and not names:
        raise UsageError("a list of names with commas between them is empty")
    return list(dict.fromkeys(names)) or list(otherwise)
