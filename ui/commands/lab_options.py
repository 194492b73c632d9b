"""Options and printing that commands of the lab share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from retrieval.errors import UsageError
from ui.console import say

if TYPE_CHECKING:
    from adaptation.lab.models import LabCard
    from kernel.model_store import ResolvedModel
    from kernel.settings import Settings

SetOption = Annotated[
    Path,
    typer.Option(
        "--data",
        metavar="FOLDER",
        help="A training set, of `tekio adapt dataset`: it is learned from and measured on.",
        show_default=False,
    ),
]
ModelNameOption = Annotated[
    str,
    typer.Option(
        "--name", help="What the new model is called, as a variant and as its folder.", show_default=False
    ),
]
ModelOption = Annotated[
    str,
    typer.Option(
        "--model",
        help="Name or folder of the model that it is made of; the base unless given.",
        show_default=False,
    ),
]
MeasureOption = Annotated[
    int,
    typer.Option(
        "--measure", min=0, help="Held-out rows that the model is asked before and after; 0 measures nothing."
    ),
]
ResumeFlag = Annotated[bool, typer.Option("--resume", help="Go on with a run that was stopped.")]
ForceFlag = Annotated[
    bool, typer.Option("--force", help="Replace a model of this name, or a run that was stopped.")
]
RankOption = Annotated[int, typer.Option("--rank", help="Of the matrices that heal.")]
RateOption = Annotated[float, typer.Option("--rate", help="Learning rate at its highest.")]
RowsOption = Annotated[int, typer.Option("--rows", help="Rows a step, about.")]
WindowOption = Annotated[int, typer.Option("--window", help="Tokens of a row; longer rows are left out.")]


def folder_of(settings: Settings, model: str) -> Path:
    """Return the folder of a model: one of the lab by its name, else as the settings find models; empty is the base.

    Raises:
        TekioError: it cannot be found; of an unknown one the message names those of the lab too.
    """
    return found_model(settings, model).folder


def found_model(settings: Settings, model: str) -> ResolvedModel:
    """Find a model as `folder_of` does, and raise its errors."""
    from kernel.lab_models import list_lab_models, model_source
    from kernel.model_store import ModelStore

    store = ModelStore(settings.cache, offline=settings.offline, on_message=say)
    try:
        return store.resolve(model_source(model, settings.models) or settings.generator)
    except UsageError as error:
        made = ", ".join(list_lab_models(settings.models))
        raise UsageError(f"{error}; of the lab are {made}") if made else error from None


def with_figures(before: Path, after: Path, data: Path, *, most: int, seed: int) -> tuple[LabCard, str]:
    """Measure a model and what was made of it, and keep that in its card; return the card and a table.

    Raises:
        UsageError: the set holds nothing to measure on.
        TekioError: one of them cannot be loaded.
    """
    from adaptation.lab.figures import measure_model, table_of
    from adaptation.lab.models import keep_figures
    from evaluation.adapters.set_judge import set_judge

    judge, texts = set_judge(data, most=most, seed=seed)
    say(f"measuring {before.name} and {after.name}")
    one = measure_model(before, texts, judge=judge)
    other = measure_model(after, texts, judge=judge)
    return keep_figures(after, one, other), table_of(one, other)


def compared(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Return each figure of two models' `quality`, as cards hold it, compared by the same questions.

    Both were asked the same, so that their values stand in the same order.
    """
    import numpy as np

    from kernel.comparison import before_and_after

    return {
        name: before_and_after(np.array(was["values"]), np.array(after[name]["values"]))
        | {"rows": was["rows"]}
        for name, was in before.items()
        if name in after and len(after[name]["values"]) == len(was["values"])
    }
