"""`adapt quantise`: a model in fewer bits, with what that changed."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retrieval.errors import UsageError
from ui.commands.lab_options import ForceFlag, MeasureOption, ModelOption, ResumeFlag, WindowOption, folder_of
from ui.console import print_json, print_table, print_text, quiet_libraries, say
from ui.options import JsonFlag, SeedOption
from ui.training_bar import training_bar

if TYPE_CHECKING:
    from adaptation.lab.models import LabCard

NameOption = Annotated[
    str, typer.Option("--name", help="What the new model is called, as a variant too.", show_default=False)
]
DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="FOLDER",
        help="A training set, of `tekio adapt dataset`: rows to look at, to learn from and to be measured by.",
        show_default=False,
    ),
]
MethodOption = Annotated[
    str, typer.Option("--method", help="dynamic, static, int8, int4 or qat; --list explains them.")
]
ListFlag = Annotated[bool, typer.Option("--list", help="List the methods, and do nothing else.")]
CalibrationOption = Annotated[int, typer.Option("--calibration", help="Rows that static looks at.")]
SmoothingOption = Annotated[
    float,
    typer.Option("--smoothing", help="Of static: how much of the inputs' spread goes into weights, 0 to 1."),
]
RankOption = Annotated[
    int,
    typer.Option(
        "--rank", help="Of int4 and qat: narrow matrices of this rank hold what 4 bits lose; 0: none."
    ),
]
StepsOption = Annotated[int, typer.Option("--steps", help="Optimiser steps of qat, in place of --epochs.")]
EpochsOption = Annotated[float, typer.Option("--epochs", help="How often qat learns every row.")]
RateOption = Annotated[float, typer.Option("--rate", help="Learning rate of qat at its highest.")]
RowsOption = Annotated[int, typer.Option("--rows", help="Rows a step of qat, about.")]
MixingOption = Annotated[
    float,
    typer.Option(
        "--mixing", help="Of qat: how much the model as it was counts against the rows' own; 0 asks it not."
    ),
]
PackOption = Annotated[int, typer.Option("--pack", help="Tokens that qat computes at once.")]


def adapt_quantise(
    name: NameOption = "",
    method: MethodOption = "dynamic",
    model: ModelOption = "",
    data: DataOption = None,
    calibration: CalibrationOption = 64,
    smoothing: SmoothingOption = 0.5,
    rank: RankOption = 0,
    steps: StepsOption = 0,
    epochs: EpochsOption = 1.0,
    rate: RateOption = 1e-4,
    rows: RowsOption = 12,
    pack: PackOption = 1024,
    window: WindowOption = 1024,
    mixing: MixingOption = 0.9,
    measure: MeasureOption = 40,
    list_methods: ListFlag = False,
    resume: ResumeFlag = False,
    force: ForceFlag = False,
    seed: SeedOption = 0,
    as_json: JsonFlag = False,
) -> None:
    """Hold a model's weights in 8 or 4 bits, and show what that changes; it is a variant from then on."""
    if list_methods:
        _list(as_json=as_json)
        return
    if not name:
        raise UsageError("--name is missing: what the new model is called")
    from adaptation.lab.models import check_model_name, read_card
    from adaptation.lab.quantising.plan import QuantisePlan
    from adaptation.lab.quantising.quantise import quantise_model
    from kernel.settings import load_settings

    plan = QuantisePlan(
        method=method,
        data=data,
        calibration=calibration,
        smoothing=smoothing,
        rank=rank,
        steps=steps,
        epochs=epochs,
        rate=rate,
        rows=rows,
        pack=pack,
        window=window,
        mixing=mixing,
        seed=seed,
    )
    plan.check()
    quiet_libraries()
    settings = load_settings()
    out = check_model_name(name, settings.models, force=force)
    folder = folder_of(settings, model)
    with training_bar() as show:
        kept = quantise_model(
            folder,
            out,
            plan,
            base=model or settings.generator,
            resume=resume,
            force=force,
            say=say,
            show=show,
        )
    card, table = read_card(kept), ""
    if measure:
        card, table = _with_figures(folder, kept, data, most=measure, seed=seed)
    if as_json:
        print_json(card.model_dump() | {"folder": str(kept.absolute())})
        return
    print_text(
        "\n".join(
            [
                f"{card.method}: {card.parameters:,} weights in {card.bytes / 1e6:.1f} MB, "
                f"{card.bytes / max(1, 4 * card.parameters):.2f} of what float32 takes",
                *([table] if table else []),
                f"`tekio ask --variant {name} QUESTION` answers by it",
            ]
        )
    )


def _with_figures(
    before: Path, after: Path, data: Path | None, *, most: int, seed: int
) -> tuple[LabCard, str]:
    """Measure both by a set, or by general texts where there is none; return the card and a table."""
    from adaptation.lab.figures import measure_model, table_of
    from adaptation.lab.models import keep_figures
    from evaluation.adapters.comparing import load_general
    from evaluation.adapters.set_judge import set_judge

    judge, texts = (None, load_general()[1]) if data is None else set_judge(data, most=most, seed=seed)
    say(f"measuring {before.name} and {after.name}")
    one, other = (measure_model(each, texts, judge=judge) for each in (before, after))
    return keep_figures(after, one, other), table_of(one, other)


def _list(*, as_json: bool) -> None:
    from adaptation.lab.quantising.methods import METHODS

    if as_json:
        print_json({"methods": [asdict(each) for each in METHODS.values()]})
        return
    print_table(
        ("method", "what it changes", "when", "source"),
        [(each.name, each.changes, each.choose, each.source) for each in METHODS.values()],
    )
