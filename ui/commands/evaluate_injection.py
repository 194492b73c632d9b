"""`evaluate injection`: what attacks from within documents do to answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from retrieval.errors import UsageError
from ui.commands.query import TechniqueOption, VariantOption
from ui.console import print_json, print_text, quiet_libraries, say
from ui.options import JsonFlag

KindOption = Annotated[
    list[str] | None,
    typer.Option(
        "--kind", help="Part of a kind's name; repeat it. All kinds unless given.", show_default=False
    ),
]
PerKindOption = Annotated[
    int, typer.Option("--per-kind", min=1, max=6, help="Questions that a kind is tried on, in each language.")
]
WordingOption = Annotated[
    str,
    typer.Option("--wording", help="held-out, or development: the wording that the defence was built with."),
]
BaselineFlag = Annotated[
    bool,
    typer.Option("--baseline/--no-baseline", help="Ask the same model in the plain way as well, to compare."),
]
DocumentsFlag = Annotated[
    bool,
    typer.Option(
        "--documents", help="Try summaries, comparisons and extractions of poisoned documents, not questions."
    ),
]
ReportOption = Annotated[
    Path | None,
    typer.Option("--report", metavar="DIR", help="Write an HTML page there.", show_default=False),
]


def evaluate_injection(
    variant: VariantOption = None,
    technique: TechniqueOption = None,
    kind: KindOption = None,
    per_kind: PerKindOption = 2,
    wording: WordingOption = "held-out",
    baseline: BaselineFlag = True,
    documents: DocumentsFlag = False,
    report: ReportOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Poison documents in 56 ways, in Japanese and English, and count what changes; exit 3 where an aim is missed."""
    quiet_libraries()
    from evaluation.injection import documents as whole
    from evaluation.injection.command import measure, measure_documents
    from evaluation.injection.figures import document, missed_aims, table
    from evaluation.injection.page import write_report
    from kernel.settings import load_settings

    if documents:
        if report is not None or technique is not None:
            raise UsageError("--documents has no report and no technique: leave them out")
        tried = measure_documents(
            load_settings(), variant=variant, kinds=kind or (), per_kind=per_kind, wording=wording, say=say
        )
        if as_json:
            print_json(whole.document(tried))
        else:
            print_text("\n".join(whole.table(tried)))
        if whole.missed_aims(tried):
            raise typer.Exit(3)
        return
    results = measure(
        load_settings(),
        variant=variant,
        technique=technique,
        kinds=kind or (),
        per_kind=per_kind,
        wording=wording,
        baseline=baseline,
        say=say,
    )
    if report is not None:
        say(f"report: {write_report(report, results)}")
    if as_json:
        print_json(document(results))
    else:
        print_text("\n".join(table(results)))
    if missed_aims(results):
        raise typer.Exit(3)
