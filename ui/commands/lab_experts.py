"""`adapt experts`: a mixture of experts made of a dense model, or LoRA experts over one, by the texts of domains."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from retrieval.errors import UsageError
from ui.commands.lab_options import found_model
from ui.console import print_json, print_table, print_text, quiet_libraries, say
from ui.options import JsonFlag, SeedOption

if TYPE_CHECKING:
    from adaptation.finetuning.command import Base
    from adaptation.lab.experts.command import Mixture
    from adaptation.lab.models import LabCard
    from kernel.settings import Settings

TextsOption = Annotated[
    Path,
    typer.Option(
        "--texts",
        metavar="FOLDER",
        help="Texts to learn from: each folder or file in it is a domain; .txt, .md, and .jsonl with `text` are read.",
        show_default=False,
    ),
]
NameOption = Annotated[
    str, typer.Option("--name", help="What the mixture is called, as a variant too.", show_default=False)
]
BaseOption = Annotated[
    str,
    typer.Option(
        "--base", help="Name or folder of the dense model; the base unless given.", show_default=False
    ),
]
KindOption = Annotated[
    str,
    typer.Option(
        "--kind",
        help="model: experts made of the feed-forward layers; lora: LoRA experts over the frozen base.",
    ),
]
ExpertsOption = Annotated[int, typer.Option("--experts", help="Experts of a layer.")]
RoutingOption = Annotated[
    str,
    typer.Option(
        "--routing",
        help="top2: two experts a token, by the softmax over both (GShard); top1: one, by its probability (Switch).",
    ),
]
PartsOption = Annotated[
    int,
    typer.Option(
        "--parts",
        help="Pieces that a feed-forward layer is cut into, of which an expert is one; 2 with top2 computes as much a "
        "token as the dense model does.",
    ),
]
RankOption = Annotated[int, typer.Option("--rank", help="Of a LoRA expert.")]
BalanceOption = Annotated[
    float, typer.Option("--balance", help="Weight of the load-balancing loss; 0 lets experts go unused.")
]
RouterZOption = Annotated[float, typer.Option("--router-z", help="Weight of the router z-loss.")]
CapacityOption = Annotated[
    float,
    typer.Option(
        "--capacity", help="Times its even share of a batch that an expert takes in training; 0: any."
    ),
]
OverflowOption = Annotated[
    str,
    typer.Option(
        "--overflow", help="drop: a token passes by an expert that is full; reroute: the next best takes it."
    ),
]
GateStartOption = Annotated[
    float, typer.Option("--gate-start", help="Standard deviation of the gate's logits at the start, about.")
]
GateDropoutOption = Annotated[
    float, typer.Option("--gate-dropout", help="Share of what a gate reads that is left out in training.")
]
RateOption = Annotated[
    float | None,
    typer.Option(
        "--rate", help="Learning rate at its highest; the kind's own unless given.", show_default=False
    ),
]
StepsOption = Annotated[int, typer.Option("--steps", help="Optimiser steps.")]
RowsOption = Annotated[int, typer.Option("--rows", help="Windows of text a step.")]
TogetherOption = Annotated[
    int, typer.Option("--together", help="Of them, those that are computed at once; fewer take less memory.")
]
WindowOption = Annotated[int, typer.Option("--window", help="Tokens of a window.")]
ClipOption = Annotated[float, typer.Option("--clip", help="The norm that gradients are cut to.")]
HeldOutOption = Annotated[
    float,
    typer.Option("--held-out", help="Share of each domain's texts that it is measured on, and not taught."),
]
CompareFlag = Annotated[
    bool,
    typer.Option(
        "--compare/--no-compare", help="Teach the dense model, or plain LoRA, the same, to compare."
    ),
]
MeasureOption = Annotated[
    int,
    typer.Option(
        "--measure",
        min=0,
        help="Held-out texts by which speed and memory are measured, of a model; 0 measures neither.",
    ),
]
ResumeFlag = Annotated[bool, typer.Option("--resume", help="Go on with a run that was stopped.")]
ForceFlag = Annotated[
    bool, typer.Option("--force", help="Replace a mixture of this name, or a run that was stopped.")
]


def adapt_experts(
    texts: TextsOption,
    name: NameOption,
    base: BaseOption = "",
    kind: KindOption = "model",
    experts: ExpertsOption = 8,
    routing: RoutingOption = "top2",
    parts: PartsOption = 1,
    rank: RankOption = 8,
    balance: BalanceOption = 0.01,
    router_z: RouterZOption = 0.001,
    capacity: CapacityOption = 1.25,
    overflow: OverflowOption = "drop",
    gate_start: GateStartOption = 0.1,
    gate_dropout: GateDropoutOption = 0.1,
    rate: RateOption = None,
    steps: StepsOption = 200,
    rows: RowsOption = 8,
    together: TogetherOption = 8,
    window: WindowOption = 256,
    clip: ClipOption = 1.0,
    held_out: HeldOutOption = 0.1,
    compare: CompareFlag = True,
    measure: MeasureOption = 20,
    resume: ResumeFlag = False,
    force: ForceFlag = False,
    seed: SeedOption = 0,
    as_json: JsonFlag = False,
) -> None:
    """Make a mixture of experts of a dense model, and show who computes which domain, and what it brings."""
    from adaptation.lab.experts.recipe import ExpertRecipe

    recipe = ExpertRecipe(
        kind=kind,  # type: ignore[arg-type]  # checked below
        experts=experts,
        routing=routing,
        parts=parts,
        rank=rank,
        balance=balance,
        router_z=router_z,
        capacity=capacity,
        overflow=overflow,  # type: ignore[arg-type]
        gate_start=gate_start,
        gate_dropout=gate_dropout,
        rate=rate,
        steps=steps,
        rows=rows,
        together=together,
        window=window,
        clip=clip,
        held_out=held_out,
        seed=seed,
    )
    recipe.check()
    if kind == "lora" and base:
        raise UsageError("--base is of --kind model: LoRA experts go over the base that the settings name")
    quiet_libraries()
    from adaptation.lab.experts.command import make_mixture
    from kernel.settings import load_settings

    settings = load_settings()
    folder = _folder(settings, kind, name, force=force or resume)
    found = _base(settings, base)
    made = make_mixture(
        found, texts, folder, recipe, compare=compare, resume=resume, force=force or resume, say=say
    )
    card = _measured(found, made, measure) if kind == "model" and measure else None
    if as_json:
        figures = made.figures if card is None else card.figures
        print_json(
            {
                "name": name,
                "folder": str(made.folder.absolute()),
                "recipe": asdict(recipe),
                "figures": figures,
                "notices": made.notices,
            }
        )
        return
    _show(made, name, card)


def _folder(settings: Settings, kind: str, name: str, *, force: bool) -> Path:
    """Return where a mixture goes: a model among the lab's, LoRA experts among the adapters."""
    if kind == "lora":
        from adaptation.finetuning.command import check_name

        return check_name(name, settings.adapters, force=force)
    from adaptation.lab.models import check_model_name

    return check_model_name(name, settings.models, force=force)


def _base(settings: Settings, name: str) -> Base:
    from adaptation.finetuning.command import Base

    found = found_model(settings, name)
    return Base(name or found.name, found.folder, found.revision, settings.generator_languages)


def _measured(base: Base, made: Mixture, texts: int) -> LabCard:
    """Measure both models as they answer, and write it into the card."""
    from adaptation.lab.figures import measure_model
    from adaptation.lab.models import keep_figures

    say("measuring speed and memory of both")
    held = list(made.held_texts)[:texts]
    return keep_figures(made.folder, measure_model(base.folder, held), measure_model(made.folder, held))


def _show(made: Mixture, name: str, card: LabCard | None) -> None:
    figures = made.figures
    order = [each for each in ("base", "dense", "mixture") if each in figures["perplexity"]]
    labels = {"base": "as it was", "dense": "dense, taught the same", "mixture": "experts"}
    rows = [
        ["all", *(f"{figures['perplexity'][each]:.2f}" for each in order)],
        *(
            [domain, *(f"{found[each]:.2f}" for each in order)]
            for domain, found in figures["domains"].items()
        ),
    ]
    print_table(("held-out perplexity", *(labels[each] for each in order)), rows)
    print_text("\n".join([*_lines(figures), *made.notices]))
    if card is not None:
        from adaptation.lab.figures import ModelFigures, table_of

        before, after = (ModelFigures.model_validate(card.figures[each]) for each in ("before", "after"))
        print_text(table_of(before, after))
    print_text(
        f"{made.folder / 'experts.png'} shows who computes what; `tekio ask --variant {name} QUESTION` answers by it"
    )


def _lines(figures: dict[str, Any]) -> list[str]:
    """Return what a mixture came to, in words."""
    sizes, load = figures["parameters"], figures["experts"]
    lines = [
        f"{sizes['mixture']:,} parameters, of which {sizes['active']:,} compute a token; load entropy "
        f"{load['load_entropy']:.3f} of an even one, {min(load['load_entropy_by_layer']):.3f} in the least even layer"
    ]
    if (change := figures.get("against_dense")) is None:
        return lines
    low, high = change["difference_interval"]
    counted = "as many" if sizes["equal"] else f"{sizes['active'] / sizes['dense_active']:.2f} times as many"
    return [
        *lines,
        f"{change['difference']:+.4f} nats a token [{low:+.4f}, {high:+.4f}] against dense with {counted} active "
        f"parameters, p = {change['p_value']:.4f}; fewer are better",
    ]


__all__ = ["adapt_experts"]
