"""`adapt schedules`: learning rate, its course, and what holds a training back, as experiments side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ui.commands.lab_pretrain import RecipeArgument, SetOption, SourceOption, chosen_recipe
from ui.console import print_json, print_table, print_text, quiet_libraries, say
from ui.options import JsonFlag

OnlyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        metavar="NAME",
        help="An experiment, or schedules or overtraining for those of a group; repeat it. All unless given.",
        show_default=False,
    ),
]
ShareOption = Annotated[
    float,
    typer.Option(
        "--share", min=0.001, max=1, help="Of the windows that the experiments on overtraining learn from."
    ),
]
EpochsOption = Annotated[float, typer.Option("--epochs", min=1, help="How often those do.")]
FindRateFlag = Annotated[
    bool,
    typer.Option("--find-lr/--no-find-lr", help="Try learning rates first and take the one that is found."),
]
OutOption = Annotated[
    Path,
    typer.Option(
        "--out",
        metavar="FOLDER",
        help="Of the finished experiments, which are not run again, and of the pictures.",
    ),
]


def adapt_schedules(
    recipe: RecipeArgument = None,
    source: SourceOption = None,
    settings: SetOption = None,
    only: OnlyOption = None,
    share: ShareOption = 0.1,
    epochs: EpochsOption = 20.0,
    find_lr: FindRateFlag = True,
    out: OutOption = Path(".tekio/schedules"),
    as_json: JsonFlag = False,
) -> None:
    """Try learning rates, schedules and brakes against overtraining on a model from scratch, side by side."""
    chosen = chosen_recipe(recipe, source, settings)
    from adaptation.lab.schedules.experiments import chosen as experiments

    wanted = experiments(only or ())
    quiet_libraries()
    from adaptation.lab.schedules.pictures import draw
    from adaptation.lab.schedules.study import Plan, study

    found = study(chosen, Plan(wanted, share, epochs, find_lr), out, say)
    pictures = [str(path) for path in draw(found, out)]
    if as_json:
        print_json(found.as_dict() | {"pictures": pictures})
        return
    print_table(
        ("experiment", "steps", "training loss", "held-out loss", "lowest, at step", "calibration error"),
        [
            (
                each.name,
                f"{each.steps:,}",
                f"{each.loss:.3f}",
                f"{each.held_out:.3f}",
                f"{each.lowest[1]:.3f}, {each.lowest[0]:,}",
                f"{each.calibration['error']:.3f}",
            )
            for each in found.outcomes
        ],
    )
    told = [f"{each.name}: {sign}" for each in found.outcomes for sign in each.signs]
    print_text("\n".join([f"learning rate {found.rate:g}", *told, *(f"drawn: {path}" for path in pictures)]))
