"""`evaluate retrieval`: how well passages are found, on a set with judgements."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ui.console import print_json, print_text, quiet_libraries, say
from ui.options import JsonFlag, SplitOption

BeirOption = Annotated[
    Path,
    typer.Option("--beir", metavar="FOLDER", help="Holds corpus.jsonl, queries.jsonl and qrels/*.tsv."),
]
ModeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--mode", help="hybrid, dense or keyword; repeat it, all three unless given.", show_default=False
    ),
]
ScratchOption = Annotated[
    Path | None,
    typer.Option(
        "--scratch",
        metavar="DIR",
        help="Where the set's index is kept for the next run; beside the models unless given.",
        show_default=False,
    ),
]
ReportOption = Annotated[
    Path | None,
    typer.Option("--report", metavar="DIR", help="Write plots and an HTML page there.", show_default=False),
]


def evaluate_retrieval(
    beir: BeirOption,
    split: SplitOption = None,
    mode: ModeOption = None,
    report: ReportOption = None,
    scratch: ScratchOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Search for every query of a set and compare with its judgements."""
    quiet_libraries()
    from evaluation.retrieval.beir import load_beir
    from evaluation.retrieval.command import measure_modes
    from evaluation.retrieval.measure import table
    from kernel.settings import load_settings

    found = load_beir(beir, split=split)
    for notice in found.notices:
        say(notice)
    modes = mode or ["hybrid", "dense", "keyword"]
    whole, runs = measure_modes(found, load_settings(), modes, folder=scratch, say=say)
    if report is not None:
        from evaluation.retrieval.page import write_report

        say(f"report: {write_report(report, whole, runs)}")
    if as_json:
        print_json(whole)
    else:
        print_text("\n".join(table(whole)))
