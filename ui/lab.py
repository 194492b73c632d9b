"""What the commands of the lab share: the model that they begin with, and what they print of a change."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ui.console import print_json, print_text, say

if TYPE_CHECKING:
    from adaptation.finetuning.command import Base
    from adaptation.lab.figures import ModelFigures
    from adaptation.lab.models import LabCard
    from kernel.settings import Settings

LabNameOption = Annotated[
    str, typer.Option("--name", help="What the new model is called, as a variant too.", show_default=False)
]
LabBaseOption = Annotated[
    str,
    typer.Option(
        "--base",
        metavar="MODEL",
        help="The model to begin with: one made in the lab, a known one or a folder; the base model unless given.",
        show_default=False,
    ),
]
LabDataOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="FOLDER",
        help="A training set, of `tekio adapt dataset`: rows to learn from and to be measured by.",
        show_default=False,
    ),
]
LabMeasureOption = Annotated[
    int,
    typer.Option("--measure", min=0, help="Test rows that both are asked; 0 measures nothing at all."),
]
LabForceFlag = Annotated[
    bool, typer.Option("--force", help="Replace a model of this name, or a run that was stopped.")
]
LabResumeFlag = Annotated[bool, typer.Option("--resume", help="Go on with a run that was stopped.")]


def lab_base(settings: Settings, name: str) -> Base:
    """Return a model to begin with, by the name of one made in the lab, by any other name, or by its folder.

    Raises:
        UsageError: there is none.
        TekioError: it is not here and cannot be fetched.
    """
    from adaptation.finetuning.command import Base
    from kernel.lab_models import find_lab_model
    from kernel.model_store import ModelStore

    name = name or settings.generator
    made = find_lab_model(name, settings.models)
    store = ModelStore(settings.cache, offline=settings.offline, on_message=say)
    found = store.resolve(name if made is None else str(made))
    return Base(name, found.folder, found.revision, settings.generator_languages)


def measured(settings: Settings, folder: Path, data: Path | None, rows: int, *, what: str) -> ModelFigures:
    """Return the figures of a model by the texts and test rows of a set, by general texts without one.

    Args:
        settings: say how many threads compute.
        folder: of the model.
        data: the set.
        rows: that it is asked, at most.
        what: it is called in what is said.
    """
    from adaptation.lab.figures import measure_model
    from evaluation.lab import held_out_texts, judge_of

    say(f"measuring {what}")
    judge = judge_of(data, most=rows) if data is not None else None
    return measure_model(folder, held_out_texts(data), judge=judge, threads=settings.threads)


def show_made(
    card: LabCard, folder: Path, before: ModelFigures | None, after: ModelFigures | None, *, as_json: bool
) -> None:
    """Print what was made, and the table of what that changed."""
    if as_json:
        print_json(card.model_dump() | {"folder": str(folder.absolute())})
        return
    if before is not None and after is not None:
        from adaptation.lab.figures import table_of

        print_text(table_of(before, after))
    print_text(
        f"{card.method}: {card.parameters:,} weights in {card.bytes / 1e6:.1f} MB; "
        f"`tekio ask --variant {card.name} QUESTION` answers by it"
    )
