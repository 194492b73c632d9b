"""`adapt prune`: a model without what it does not need, healed, and the curve of quality over sparsity."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retrieval.errors import UsageError
from ui.commands.lab_options import (
    ForceFlag,
    MeasureOption,
    ModelNameOption,
    ModelOption,
    RankOption,
    RateOption,
    ResumeFlag,
    RowsOption,
    SetOption,
    WindowOption,
    folder_of,
    with_figures,
)
from ui.console import print_json, print_table, print_text, quiet_libraries, say
from ui.options import JsonFlag, SeedOption
from ui.training_bar import training_bar

if TYPE_CHECKING:
    from adaptation.lab.models import LabCard
    from adaptation.lab.pruning.plan import PrunePlan
    from kernel.settings import Settings

MethodOption = Annotated[
    str,
    typer.Option(
        "--method",
        help="magnitude or wanda take single weights out, heads, neurons or layers whole parts, so that the model is "
        "smaller and faster.",
    ),
]
SparsityOption = Annotated[
    float, typer.Option("--sparsity", help="Share that is taken out, above 0, below 1.")
]
PatternOption = Annotated[
    str, typer.Option("--pattern", help="n:m, such as 2:4: n of each m weights.", show_default=False)
]
CalibrationOption = Annotated[
    int, typer.Option("--calibration", help="Rows that are read to see what counts.")
]
MixingOption = Annotated[
    float,
    typer.Option(
        "--mixing", help="Of healing: how much the whole model counts against the rows' own; 0 asks it not."
    ),
]
HealOption = Annotated[
    int | None,
    typer.Option(
        "--heal",
        help="Steps of a LoRA that is put into the weights, 0 heals nothing; 100 unless given, of a curve 0.",
        show_default=False,
    ),
]
CurveOption = Annotated[
    str | None,
    typer.Option(
        "--curve",
        metavar="SPARSITIES",
        help="Draw the quality at each of these, such as 0.1,0.3,0.5, in place of making a model.",
        show_default=False,
    ),
]
OutOption = Annotated[
    Path, typer.Option("--out", metavar="FILE", help="Of the curve's picture, PNG; its JSON lies beside it.")
]


def adapt_prune(
    data: SetOption,
    name: ModelNameOption = "",
    model: ModelOption = "",
    method: MethodOption = "layers",
    sparsity: SparsityOption = 0.5,
    pattern: PatternOption = "",
    calibration: CalibrationOption = 64,
    heal: HealOption = None,
    rank: RankOption = 16,
    rate: RateOption = 1e-3,
    rows: RowsOption = 8,
    window: WindowOption = 512,
    mixing: MixingOption = 0.6,
    curve: CurveOption = None,
    out: OutOption = Path("sparsity.png"),
    measure: MeasureOption = 40,
    resume: ResumeFlag = False,
    force: ForceFlag = False,
    seed: SeedOption = 0,
    as_json: JsonFlag = False,
) -> None:
    """Take out of a model what it does not need, heal what is left, and show what that changed."""
    from adaptation.lab.pruning.plan import PrunePlan

    plan = PrunePlan(
        data=data,
        kind=method,  # type: ignore[arg-type]
        share=sparsity,
        pattern=pattern,
        read=calibration,
        heal=(100 if curve is None else 0) if heal is None else heal,
        rank=rank,
        rate=rate,
        rows=rows,
        window=window,
        mixing=mixing,
        seed=seed,
    )
    plan.check()
    if curve is None and not name:
        raise UsageError("give the new model a name by --name, or ask for a --curve")
    shares = _shares(curve) if curve is not None else []
    quiet_libraries()
    from kernel.settings import load_settings

    settings = load_settings()
    if curve is not None:
        _draw(settings, model, plan, shares, out, as_json=as_json)
        return
    from adaptation.lab.models import check_model_name
    from adaptation.lab.pruning.prune import prune_model

    folder = check_model_name(name, settings.models, force=force or resume)
    before = folder_of(settings, model)
    with training_bar() as show:
        card = prune_model(before, folder, plan, resume=resume, force=force, say=say, show=show)
    table = ""
    if measure:
        card, table = with_figures(before, folder, data, most=measure, seed=seed)
    if as_json:
        print_json(card.model_dump() | {"folder": str(folder.absolute())})
    else:
        print_text("\n".join(_lines(card, table)))


def _draw(
    settings: Settings, model: str, plan: PrunePlan, shares: list[float], out: Path, *, as_json: bool
) -> None:
    from adaptation.lab.pruning.curve import draw_sparsity, sparsity_curve
    from retrieval.whole_files import write_whole
    from ui.plaintext import dump_json

    points = sparsity_curve(folder_of(settings, model), plan, shares, say=say)
    told = {"method": plan.kind, "points": [asdict(point) for point in points]}
    drawn = draw_sparsity({plan.kind: points}, out)
    write_whole(out.with_suffix(".json"), dump_json(told) + "\n")
    if as_json:
        print_json(told | {"picture": str(out) if drawn else None})
        return
    print_table(
        ("sparsity", "taken out", "weights left", "held-out loss", "perplexity", "healed"),
        [
            (
                f"{point.share:g}",
                f"{point.taken:.2f}",
                f"{point.parameters:,}",
                f"{point.loss:.3f}",
                f"{point.perplexity:.2f}",
                "" if point.healed is None else f"{point.healed:.2f}",
            )
            for point in points
        ],
    )
    print_text(f"the curve is in {out}" if drawn else "matplotlib is not here, so no curve was drawn")


def _shares(text: str) -> list[float]:
    try:
        found = [float(each) for each in text.split(",") if each.strip()]
    except ValueError as error:
        raise UsageError(f"--curve is numbers parted by commas, such as 0.1,0.3,0.5, not '{text}'") from error
    if not found:
        raise UsageError("--curve names no sparsity: give some, such as 0.1,0.3,0.5")
    return found


def _lines(card: LabCard, table: str) -> list[str]:
    held = card.figures["held_out"]
    told = ", ".join(
        f"{name} {held[name]['perplexity']:.2f}" for name in ("whole", "pruned", "healed") if name in held
    )
    change = held["change"]
    low, high = change["difference_interval"]
    return [
        f"{card.figures['taken']:.0%} taken out by {card.recipe['kind']}: {card.parameters:,} weights, "
        f"{card.bytes / 1e6:.1f} MB; held-out perplexity: {told}",
        f"held-out loss {change['difference']:+.3f} nats a token [{low:+.3f}, {high:+.3f}] over {change['rows']} rows",
        *([table] if table else []),
        f"`tekio ask --variant {card.name} QUESTION` answers by it",
    ]
