"""`adapt pretrain`: a language model from nothing, by a recipe file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ui.commands.lab_options import ForceFlag, MeasureOption, ResumeFlag, folder_of, with_figures
from ui.console import print_json, print_table, print_text, quiet_libraries, say
from ui.options import JsonFlag
from ui.training_bar import training_bar

if TYPE_CHECKING:
    from adaptation.lab.models import LabCard
    from adaptation.lab.scratch.planning import Plan
    from adaptation.lab.scratch.recipe import PretrainRecipe

RecipeArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="[RECIPE]",
        help="A TOML file, such as data/pretrain.toml; the usual numbers without one.",
        show_default=False,
    ),
]
NameOption = Annotated[
    str,
    typer.Option("--name", help="What the model is called, as a variant too.", show_default=False),
]
SourceOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--source",
        metavar="PATH",
        help="A file or folder of texts, beside those of the recipe; repeat it.",
        show_default=False,
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="TABLE.KEY=VALUE",
        help="Set a key of the recipe: training.steps=500, model.size=micro; repeat it.",
        show_default=False,
    ),
]
PlanFlag = Annotated[
    bool,
    typer.Option(
        "--plan", help="Show the corpus, the tokenizers and what architectures cost; train nothing."
    ),
]
DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="FOLDER",
        help="A training set, of `tekio adapt dataset`: base and model are asked its held-out rows at the end.",
        show_default=False,
    ),
]


def chosen_recipe(path: Path | None, source: list[Path] | None, settings: list[str] | None) -> PretrainRecipe:
    """Return the recipe of a file, or the usual one, with what options change.

    Raises:
        UsageError: it cannot be read, or a key or value is wrong.
    """
    from adaptation.lab.scratch.recipe import PretrainRecipe, changed, read_recipe

    recipe = changed(PretrainRecipe() if path is None else read_recipe(path), settings or ())
    sources = [*recipe.data.sources, *(source or ())]
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"sources": sources})})


def adapt_pretrain(
    name: NameOption = "",
    recipe: RecipeArgument = None,
    source: SourceOption = None,
    settings: SetOption = None,
    plan: PlanFlag = False,
    data: DataOption = None,
    measure: MeasureOption = 40,
    resume: ResumeFlag = False,
    force: ForceFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Train a language model from nothing; it is a variant from then on."""
    from retrieval.errors import UsageError

    chosen = chosen_recipe(recipe, source, settings)
    quiet_libraries()
    from adaptation.lab.scratch.planning import plan_of
    from adaptation.lab.scratch.pretraining import pretrain

    if plan:
        found = plan_of(chosen, say)
        if as_json:
            print_json(found.as_dict())
        else:
            _show_plan(found)
        return
    if not name:
        raise UsageError("give the model a --name, or --plan to see what it would cost")
    from adaptation.finetuning.processes import is_first
    from kernel.settings import load_settings

    tell = say if is_first() else (lambda text: None)  # of several processes one speaks
    held = load_settings()
    out = held.models / name
    with training_bar() as show:
        card = pretrain(
            chosen,
            out,
            resume=resume,
            force=force,
            say=tell,
            show=show if is_first() else None,
        )
    if not is_first():
        return
    lines = _lines(card)
    if data is not None and measure and chosen.model.kind == "decoder":
        card, table = with_figures(folder_of(held, ""), out, data, most=measure, seed=chosen.training.seed)
        lines.append(table)
    if as_json:
        print_json(card.model_dump() | {"folder": str(out.absolute())})
    else:
        print_text("\n".join(lines))


def _show_plan(plan: Plan) -> None:
    print_table(
        ("cleaning", "texts", "characters", "changed or left out"),
        [
            (step.name, f"{step.texts:,}", f"{step.characters:,}", f"{step.changed:,}")
            for step in plan.corpus.steps
        ],
    )
    print_table(
        ("language", "texts", "bytes", "different words", "share of the 100 most frequent"),
        [
            (
                each.language,
                f"{each.texts:,}",
                f"{each.bytes:,}",
                f"{each.distinct:,}",
                f"{each.most_common:.0%}",
            )
            for each in plan.corpus.counts
        ],
    )
    print_table(
        ("tokenizer", "language", "vocabulary", "bytes a token", "characters a token"),
        [
            (
                fit.tokenizer,
                fit.language,
                f"{fit.size:,}",
                f"{fit.bytes_a_token:.2f}",
                f"{fit.characters_a_token:.2f}",
            )
            for fit in plan.tokens.fits
        ],
    )
    print_table(
        ("architecture", "size", "layers", "hidden", "weights", "MB to train", "FLOPs in all"),
        [
            (
                cost.kind,
                f"{cost.size} (chosen)" if cost == plan.chosen else cost.size,
                f"{cost.layers}",
                f"{cost.hidden}",
                f"{cost.parameters:,}",
                f"{cost.memory / 1e6:,.0f}",
                f"{cost.flops:.2g}",
            )
            for cost in plan.table
        ],
    )
    print_text(
        f"{plan.tokens.name} is taken: {len(plan.tokens.learned.ids):,} tokens to learn from, "
        f"{len(plan.tokens.held_out.ids):,} held out"
    )


def _lines(card: LabCard) -> list[str]:
    figures = card.figures
    held, training, gram = figures["held_out"], figures["training"], figures["ngram"]["perplexity"]
    lines = [
        f"{card.name}: {card.parameters:,} weights, {training['steps']:,} steps in {training['seconds']:,.0f} s, "
        f"{training['tokens'] / max(training['seconds'], 1e-9):,.0f} tokens a second",
        f"perplexity {held['perplexity']:.1f} on {held['tokens']:,} held-out tokens, "
        f"{held['bits_per_byte']:.2f} bits a byte",
    ]
    if gram is not None:
        lines.append(f"perplexity of a 4-gram with Kneser-Ney on the same tokens: {gram:.1f}")
    if figures["reached"] is not None:
        said = "reached" if figures["reached"] else "missed"
        lines.append(
            f"goal {said}: {figures['measure']} {figures['measured']:.2f} against {figures['goal']:.2f}"
        )
    lines.append(f"calibration error {figures['calibration']['error']:.3f}")
    lines += figures["notices"]
    if sample := figures.get("sample"):
        lines.append(f"{sample['asked']} → {sample['answer']}")
    if card.recipe["model"]["kind"] != "encoder":
        lines.append(f"`tekio ask --variant {card.name} QUESTION` answers by it")
    return lines
