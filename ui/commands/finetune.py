"""`adapt train` and `adapt methods`: an adapter learned from a training set, with its curve."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retrieval.errors import UsageError
from ui.commands.evaluate_adapter import keep_figures, show_report
from ui.console import print_json, print_table, print_text, quiet_libraries, say
from ui.options import JsonFlag, SeedOption
from ui.training_bar import training_bar

if TYPE_CHECKING:
    from adaptation.finetuning.command import Base
    from evaluation.adapters.comparing import Report
    from kernel.chat.adapters import AdapterCard
    from kernel.settings import Settings

DataOption = Annotated[
    Path,
    typer.Option(
        "--data", metavar="FOLDER", help="A training set, of `tekio adapt dataset`.", show_default=False
    ),
]
NameOption = Annotated[
    str, typer.Option("--name", help="What the adapter is called, as a variant too.", show_default=False)
]
MethodOption = Annotated[str, typer.Option("--method", help="`tekio adapt methods` lists them.")]
RankOption = Annotated[int, typer.Option("--rank", help="Of the added matrices.")]
LayersOption = Annotated[
    float,
    typer.Option(
        "--layers",
        help="Share of the layers that learn, the uppermost; half of them learn half as long, and less.",
    ),
]
RateOption = Annotated[
    float | None,
    typer.Option(
        "--rate", help="Learning rate at its highest; the method's own unless given.", show_default=False
    ),
]
EpochsOption = Annotated[float, typer.Option("--epochs", help="How often every row is learned.")]
StepsOption = Annotated[int, typer.Option("--steps", help="Optimiser steps, in place of --epochs.")]
RowsOption = Annotated[int, typer.Option("--rows", help="Rows a step, about.")]
PackOption = Annotated[
    int,
    typer.Option("--pack", help="Tokens that are computed at once, 0 for what the free memory allows."),
]
WindowOption = Annotated[int, typer.Option("--window", help="Tokens of a row; longer rows are left out.")]
HoldOption = Annotated[
    float,
    typer.Option(
        "--hold",
        help="How much it counts what an adapter changes in the base's predictions of plain text, against forgetting; "
        "0 not at all.",
    ),
]
VirtualOption = Annotated[
    int, typer.Option("--virtual-tokens", help="Tokens before the prompt, of the methods prefix and prompt.")
]
StartOption = Annotated[
    str,
    typer.Option(
        "--start-from",
        metavar="ADAPTER",
        help="Learn this adapter further, in place of a new one.",
        show_default=False,
    ),
]
RewardOption = Annotated[
    str,
    typer.Option(
        "--reward", metavar="NAME", help="The reward model, of the method rlhf.", show_default=False
    ),
]
DraftsOption = Annotated[
    int,
    typer.Option("--drafts", help="Answers that rlhf writes to a prompt, to hold them against each other."),
]
NewTokensOption = Annotated[int, typer.Option("--new-tokens", help="Of such an answer, at most.")]
CheckpointingFlag = Annotated[
    bool, typer.Option("--checkpointing", help="Compute activations twice, for less memory.")
]
FindRateFlag = Annotated[
    bool, typer.Option("--find-lr", help="Try learning rates first, a few dozen steps, and take the best.")
]
MeasureOption = Annotated[
    int,
    typer.Option(
        "--measure", min=0, help="Held-out rows that base and adapter are asked at the end; 0 asks none."
    ),
]
ResumeFlag = Annotated[bool, typer.Option("--resume", help="Go on with a training that was stopped.")]
ForceFlag = Annotated[
    bool, typer.Option("--force", help="Replace an adapter of this name, or a training that was stopped.")
]


def adapt_train(
    data: DataOption,
    name: NameOption,
    method: MethodOption = "lora",
    rank: RankOption = 16,
    layers: LayersOption = 1.0,
    rate: RateOption = None,
    epochs: EpochsOption = 2.0,
    steps: StepsOption = 0,
    rows: RowsOption = 12,
    pack: PackOption = 0,
    window: WindowOption = 2048,
    hold: HoldOption = 2.0,
    virtual_tokens: VirtualOption = 16,
    start_from: StartOption = "",
    reward: RewardOption = "",
    drafts: DraftsOption = 4,
    new_tokens: NewTokensOption = 64,
    checkpointing: CheckpointingFlag = False,
    find_lr: FindRateFlag = False,
    measure: MeasureOption = 40,
    resume: ResumeFlag = False,
    force: ForceFlag = False,
    seed: SeedOption = 0,
    as_json: JsonFlag = False,
) -> None:
    """Train an adapter over the base language model; it is a variant from then on."""
    from adaptation.finetuning.recipe import Recipe
    from kernel.settings import load_settings

    recipe = Recipe(
        method=method,
        rank=rank,
        layers=layers,
        rate=rate,
        epochs=epochs,
        steps=steps,
        rows=rows,
        pack=pack,
        window=window,
        hold=hold,
        virtual_tokens=virtual_tokens,
        start=start_from,
        reward=reward,
        drafts=drafts,
        new_tokens=new_tokens,
        checkpointing=checkpointing,
        seed=seed,
    )
    recipe.check()
    if find_lr and (rate is not None or resume):
        raise UsageError("--find-lr finds the rate of a new training: leave out --rate and --resume")
    quiet_libraries()
    settings = load_settings()
    from adaptation.finetuning.command import check_name, find_rate, train_adapter
    from adaptation.finetuning.processes import is_first

    folder = check_name(name, settings.adapters, force=force or resume)
    base = _base()
    tell = say if is_first() else (lambda text: None)  # of several processes one speaks
    if find_lr:
        recipe = find_rate(base, data, recipe, say=tell)
    with training_bar() as show:
        card = train_adapter(
            base,
            data,
            folder,
            recipe,
            resume=resume,
            force=force,
            say=tell,
            show=show if is_first() else None,
        )
    if not is_first():
        return
    report = _measured(settings, folder, data, measure) if measure and method != "reward" else None
    if report is not None:
        card = keep_figures(folder, report) or card
    if as_json:
        print_json(card.model_dump() | {"name": name, "folder": str(folder.absolute())})
        return
    print_text("\n".join(_lines(card, name)))
    if report is not None:
        show_report(report, name, as_json=False)


def _measured(settings: Settings, folder: Path, data: Path, rows: int) -> Report | None:
    """Return what the adapter changed; None where the set holds nothing to measure on."""
    from evaluation.adapters.command import evaluate_adapter

    if not any((data / "test" / name).is_file() for name in ("chat.jsonl", "text.jsonl")):
        say(f"{data} holds no rows to measure on: make the set of more documents to see what changed")
        return None
    return evaluate_adapter(settings, folder, data, most=rows, say=say)


def adapt_methods(as_json: JsonFlag = False) -> None:
    """List the methods of fine-tuning: what each changes, its weights, memory, and when to choose it."""
    from adaptation.finetuning.methods import COMBINED, METHODS

    quiet_libraries()
    from adaptation.finetuning.building import count_parameters

    base = _base()
    learned, total = {}, 0
    for name in METHODS:
        learned[name], total = count_parameters(base.folder, name)
    if as_json:
        print_json(
            {
                "base": base.name,
                "parameters": total,
                "methods": [asdict(each) | {"parameters": learned[each.name]} for each in METHODS.values()],
                "combinations": dict(COMBINED),
            }
        )
        return
    rows = [
        (
            each.name,
            each.changes,
            f"{learned[each.name]:,} ({100 * learned[each.name] / total:.2g} %)",
            each.memory,
            each.choose,
        )
        for each in METHODS.values()
    ]
    rows += [
        (
            name,
            changes,
            "the sum of theirs",
            "none: nothing is trained",
            "one model for several tasks at once",
        )
        for name, changes in COMBINED.items()
    ]
    print_table(("method", "what it changes", f"weights over {base.name}", "memory", "when"), rows)


def _base() -> Base:
    from adaptation.finetuning.command import Base
    from kernel.model_store import ModelStore
    from kernel.settings import load_settings

    settings = load_settings()
    found = ModelStore(settings.cache, offline=settings.offline, on_message=say).resolve(settings.generator)
    return Base(found.name, found.folder, found.revision, settings.generator_languages)


def _lines(card: AdapterCard, name: str) -> list[str]:
    facts = card.training
    share = facts["parameters"] / facts["all_parameters"]
    held = ""
    if facts["held_out"] is not None:
        before = f"{facts['held_out_before']:.3f} to " if facts["held_out_before"] is not None else ""
        held = f"; held-out loss {before}{facts['held_out']:.3f}"
    seconds = max(facts["seconds"], 1e-9)
    return [
        f"{card.method}: {facts['steps']:,} steps over {facts['rows']:,} rows in {facts['seconds']:,.0f} s, "
        f"{facts['tokens'] / seconds:,.0f} tokens a second{held}",
        f"{facts['parameters']:,} weights learned, {100 * share:.2f} % of all; "
        f"{facts['saved']:,} of {facts['tokens']:,} tokens were shared and computed once",
        *card.notices,
        *_told_of_pairs(card),
        f"`tekio adapt train --method rlhf --reward {name}` has answers judged by it"
        if card.method == "reward"
        else f"`tekio ask --variant {name} QUESTION` answers by it",
    ]


def _told_of_pairs(card: AdapterCard) -> list[str]:
    pairs = card.figures.get("pairs")
    if not pairs:
        return []
    return [f"of {pairs['pairs']:,} held-out pairs it prefers the better answer in {pairs['right']:,}"]
