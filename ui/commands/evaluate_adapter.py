"""`evaluate adapter`: what fine-tuning changed, for the better and the worse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retrieval.errors import UsageError
from ui.console import print_json, print_text, quiet_libraries, say
from ui.options import JsonFlag

if TYPE_CHECKING:
    from evaluation.adapters.comparing import Report
    from kernel.chat.adapters import AdapterCard

NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="The adapter: its name, or its folder.", show_default=False)
]
DataOption = Annotated[
    Path,
    typer.Option(
        "--data", metavar="FOLDER", help="A training set whose held-out rows are asked.", show_default=False
    ),
]
PartOption = Annotated[str, typer.Option("--part", help="Of the set: test, held_out or train.")]
RowsOption = Annotated[
    int, typer.Option("--rows", min=0, help="Rows to ask, of every kind as many; 0 asks all.")
]
OutOption = Annotated[
    Path | None,
    typer.Option(
        "--out", metavar="FILE", help="Write every row with both answers, as JSON.", show_default=False
    ),
]
SeedOption = Annotated[int, typer.Option("--seed", help="Decides which rows.")]


def evaluate_adapter(
    name: NameArgument,
    data: DataOption,
    part: PartOption = "test",
    rows: RowsOption = 60,
    out: OutOption = None,
    seed: SeedOption = 0,
    as_json: JsonFlag = False,
) -> None:
    """Ask base and adapter the same, and show what got better, what got worse and what was forgotten."""
    quiet_libraries()
    from evaluation.adapters.command import evaluate_adapter as evaluate
    from kernel.chat.adapters import find_adapter
    from kernel.settings import load_settings

    settings = load_settings()
    folder = find_adapter(name, settings.adapters)
    if folder is None:
        raise UsageError(f"there is no adapter '{name}' in {settings.adapters}, and no folder of one")
    report = evaluate(settings, folder, data, part=part, most=rows, seed=seed, say=say)
    if part == "test":
        keep_figures(folder, report)
    if out is not None:
        out.write_text(json.dumps(report.model_dump(), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    show_report(report, name, as_json=as_json)


def keep_figures(folder: Path, report: Report) -> AdapterCard | None:
    """Write a report's figures into the adapter's card, by which it may become the default; return the card."""
    from kernel.chat.adapters import AdapterCard

    card = AdapterCard.read(folder)
    if card is not None:
        card = card.model_copy(update={"figures": report.model_dump(exclude={"rows"})})
        card.write(folder)
    return card


def show_report(report: Report, name: str, *, as_json: bool) -> None:
    """Print a report for people, or as JSON."""
    from evaluation.adapters.comparing import lines

    if as_json:
        print_json(report.model_dump(exclude={"rows"}) | {"adapter": name})
        return
    said = "won more than it lost" if report.recommended else "did not win more than it lost: not recommended"
    print_text("\n".join([*lines(report), f"{name} {said}"]))
