"""`adapt quantise`: a model in fewer bits, with what that changed."""

from __future__ import annotations

from typing import Annotated

import typer

from retrieval.errors import UsageError
from ui.console import print_json, print_table, quiet_libraries, say
from ui.lab import (
    LabBaseOption,
    LabDataOption,
    LabForceFlag,
    LabMeasureOption,
    LabNameOption,
    LabResumeFlag,
    lab_base,
    measured,
    show_made,
)
from ui.options import JsonFlag, SeedOption
from ui.training_bar import training_bar

QuantiseMethodOption = Annotated[
    str,
    typer.Option(
        "--method", help="dynamic, static, int8, int4 or qat; `tekio adapt quantise --list` explains them."
    ),
]
ListFlag = Annotated[bool, typer.Option("--list", help="List the methods, and do nothing else.")]
CalibrationOption = Annotated[int, typer.Option("--calibration", help="Rows that static looks at.")]
SmoothingOption = Annotated[
    float,
    typer.Option("--smoothing", help="Of static: how much of the inputs' spread goes into weights, 0 to 1."),
]
QatStepsOption = Annotated[int, typer.Option("--steps", help="Optimiser steps of qat, in place of --epochs.")]
QatEpochsOption = Annotated[float, typer.Option("--epochs", help="How often qat learns every row.")]
QatRateOption = Annotated[float, typer.Option("--rate", help="Learning rate of qat at its highest.")]
QatRowsOption = Annotated[int, typer.Option("--rows", help="Rows a step of qat, about.")]
QatPackOption = Annotated[int, typer.Option("--pack", help="Tokens that qat computes at once.")]
WindowOption = Annotated[int, typer.Option("--window", help="Tokens of a row; longer rows are left out.")]


def adapt_quantise(
    name: LabNameOption = "",
    method: QuantiseMethodOption = "dynamic",
    base: LabBaseOption = "",
    data: LabDataOption = None,
    calibration: CalibrationOption = 64,
    smoothing: SmoothingOption = 0.5,
    steps: QatStepsOption = 0,
    epochs: QatEpochsOption = 1.0,
    rate: QatRateOption = 2e-5,
    rows: QatRowsOption = 12,
    pack: QatPackOption = 1024,
    window: WindowOption = 1024,
    measure: LabMeasureOption = 40,
    list_methods: ListFlag = False,
    resume: LabResumeFlag = False,
    force: LabForceFlag = False,
    seed: SeedOption = 0,
    as_json: JsonFlag = False,
) -> None:
    """Hold a model's weights in 8 or 4 bits, and show what that changes; it is a variant from then on."""
    if list_methods:
        _list(as_json=as_json)
        return
    if not name:
        raise UsageError("--name is missing: what the new model is called")
    from adaptation.lab.models import check_model_name, keep_figures, read_card
    from adaptation.lab.quantising.plan import QuantisePlan
    from adaptation.lab.quantising.quantise import quantise_model
    from kernel.settings import load_settings

    plan = QuantisePlan(
        method=method,
        data=data,
        calibration=calibration,
        smoothing=smoothing,
        steps=steps,
        epochs=epochs,
        rate=rate,
        rows=rows,
        pack=pack,
        window=window,
        seed=seed,
    )
    plan.check()
    quiet_libraries()
    settings = load_settings()
    out = check_model_name(name, settings.models, force=force)
    begun = lab_base(settings, base)
    with training_bar() as show:
        kept = quantise_model(
            begun.folder, out, plan, base=begun.name, resume=resume, force=force, say=say, show=show
        )
    card, before, after = read_card(kept), None, None
    if measure:
        before = measured(settings, begun.folder, data, measure, what=begun.name)
        after = measured(settings, kept, data, measure, what=name)
        card = keep_figures(kept, before, after)
    show_made(card, kept, before, after, as_json=as_json)


def _list(*, as_json: bool) -> None:
    from dataclasses import asdict

    from adaptation.lab.quantising.methods import METHODS

    if as_json:
        print_json({"methods": [asdict(each) for each in METHODS.values()]})
        return
    print_table(
        ("method", "what it changes", "when", "source"),
        [(each.name, each.changes, each.choose, each.source) for each in METHODS.values()],
    )
