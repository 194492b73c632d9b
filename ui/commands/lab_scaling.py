"""`adapt scaling`: what size and how many tokens a budget is best spent on, by small runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ui.commands.lab_pretrain import RecipeArgument, SetOption, SourceOption, chosen_recipe
from ui.console import print_json, print_table, print_text, quiet_libraries, say
from ui.options import JsonFlag

OutOption = Annotated[
    Path,
    typer.Option(
        "--out", metavar="FOLDER", help="Of the finished runs, which are not done again, and of the pictures."
    ),
]
SizeOption = Annotated[
    list[int] | None,
    typer.Option(
        "--size",
        help="A hidden size of the grid, a multiple of 16; repeat it. 32, 48, 64 and 96 unless given.",
        show_default=False,
    ),
]
TokensOption = Annotated[
    list[int] | None,
    typer.Option(
        "--tokens",
        help="A number of tokens of the grid; repeat it. 32,768 and its doubles up to 262,144 unless given.",
        show_default=False,
    ),
]
HeldOption = Annotated[
    int,
    typer.Option(
        "--held-size", min=0, help="Hidden size of the larger run that is foretold; 0: half as much again."
    ),
]
BudgetOption = Annotated[
    float,
    typer.Option("--budget", min=0, help="FLOPs whose best size is told; 0: ten times the dearest run's."),
]
ResamplesOption = Annotated[
    int, typer.Option("--resamples", min=10, help="How often the law is fitted to drawn runs, for its bands.")
]


def adapt_scaling(
    recipe: RecipeArgument = None,
    source: SourceOption = None,
    settings: SetOption = None,
    size: SizeOption = None,
    tokens: TokensOption = None,
    held_size: HeldOption = 0,
    budget: BudgetOption = 0.0,
    resamples: ResamplesOption = 200,
    out: OutOption = Path(".tekio/scaling"),
    as_json: JsonFlag = False,
) -> None:
    """Fit the loss over weights and tokens to small runs, and tell the best size for a budget."""
    chosen = chosen_recipe(recipe, source, settings)
    quiet_libraries()
    from adaptation.lab.scaling.pictures import draw
    from adaptation.lab.scaling.study import Plan, advice, study

    plan = Plan(
        sizes=tuple(size or Plan().sizes),
        tokens=tuple(tokens or Plan().tokens),
        held_size=held_size,
        budget=budget,
        resamples=resamples,
    )
    found = study(chosen, plan, out, say)
    pictures = [str(path) for path in draw(found, out)]
    if as_json:
        print_json(found.as_dict() | {"pictures": pictures})
        return
    print_table(
        ("weights", "tokens", "FLOPs", "held-out loss", "by the law"),
        [
            (
                f"{run.parameters:,}",
                f"{run.tokens:,}",
                f"{run.flops:.2g}",
                f"{run.loss:.4f}",
                f"{found.fitted.law.loss(run.parameters, run.tokens):.4f}",
            )
            for run in found.fitted.runs
        ],
    )
    print_text("\n".join([*advice(found), *(f"drawn: {path}" for path in pictures)]))
