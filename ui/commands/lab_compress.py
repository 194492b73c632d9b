"""`adapt compress`: the smallest variant of a model that a device can hold, and its export."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from retrieval.errors import UsageError
from ui.commands.lab_options import (
    ForceFlag,
    MeasureOption,
    ModelNameOption,
    ModelOption,
    ResumeFlag,
    WindowOption,
    folder_of,
)
from ui.console import print_json, print_table, print_text, quiet_libraries, say
from ui.options import JsonFlag, SeedOption

if TYPE_CHECKING:
    from adaptation.lab.compressing.limits import Limits
    from adaptation.lab.compressing.plan import CompressPlan
    from adaptation.lab.compressing.search import Found, Measure, Tried

_MISSED = 3
"""The exit code where no variant is within the limits."""

MemoryOption = Annotated[
    str,
    typer.Option(
        "--memory",
        metavar="SIZE",
        help="Most that weights, keys and values may take on the device, such as 200MB.",
        show_default=False,
    ),
]
LatencyOption = Annotated[
    str,
    typer.Option(
        "--latency",
        metavar="TIME",
        help="Longest time of a prompt and 32 written tokens, measured on this machine, such as 500ms.",
        show_default=False,
    ),
]
LossOption = Annotated[
    str,
    typer.Option(
        "--max-loss",
        metavar="SHARE",
        help="Most that may be lost, such as 2%: with --data of token F1, forms or refusals, whichever "
        "lost most, else in perplexity.",
        show_default=False,
    ),
]
DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="FOLDER",
        help="A training set, of `tekio adapt dataset`; without one weights are rounded, and nothing else is tried.",
        show_default=False,
    ),
]
QuantiseOption = Annotated[
    str,
    typer.Option(
        "--quantise",
        help="Methods of rounding that are tried, with commas, of 4 bits with the rank of a correction; none for none.",
    ),
]
PruneOption = Annotated[
    str, typer.Option("--prune", help="What is pruned, and which share of it, with commas; none for none.")
]
StudentsOption = Annotated[
    str, typer.Option("--students", help="Shares of the layers that students have; none for none.")
]
HealOption = Annotated[
    int, typer.Option("--heal", min=0, help="Optimiser steps after pruning, and of qat; 0 heals nothing.")
]
TeachOption = Annotated[int, typer.Option("--teach", min=1, help="Optimiser steps of a student.")]
MinutesOption = Annotated[
    float, typer.Option("--minutes", min=0, help="After which no further variant is begun; 0 tries them all.")
]
ExportOption = Annotated[
    str, typer.Option("--export", help="onnx or gguf: write the variant so, and run the file once.")
]
OutOption = Annotated[
    Path | None,
    typer.Option(
        "--out", metavar="FOLDER", help="Of the export; NAME-FORMAT unless given.", show_default=False
    ),
]


def adapt_compress(
    name: ModelNameOption,
    memory: MemoryOption = "",
    latency: LatencyOption = "",
    max_loss: LossOption = "",
    model: ModelOption = "",
    data: DataOption = None,
    quantise: QuantiseOption = "dynamic,int4,int4:32,qat:32",
    prune: PruneOption = "neurons:0.25,layers:0.25,layers:0.5",
    students: StudentsOption = "0.5",
    heal: HealOption = 60,
    teach: TeachOption = 200,
    window: WindowOption = 512,
    minutes: MinutesOption = 0.0,
    measure: MeasureOption = 40,
    export: ExportOption = "",
    out: OutOption = None,
    resume: ResumeFlag = False,
    force: ForceFlag = False,
    seed: SeedOption = 0,
    as_json: JsonFlag = False,
) -> None:
    """Search for the smallest variant within a device's limits, or say by how much the nearest misses them."""
    from adaptation.lab.compressing.limits import Limits
    from adaptation.lab.compressing.plan import CompressPlan
    from adaptation.lab.exporting.export import FORMATS
    from kernel.settings import load_settings

    if not any((memory, latency, max_loss)) and sys.stdin.isatty():
        memory, latency, max_loss = _asked()
    limits = Limits.read(memory, latency, max_loss)
    plan = CompressPlan.read(
        quantise, prune, students, data=data, heal=heal, teach=teach, window=window, seed=seed
    )
    if export and export not in FORMATS:
        raise UsageError(f"a model can be exported as {' or '.join(FORMATS)}, not as '{export}'")
    target = out or Path(f"{name}-{export}")
    if export and target.exists():
        raise UsageError(f"{target} exists already: name another folder by --out, or remove it")
    from adaptation.lab.compressing.making import steps_of
    from adaptation.lab.compressing.search import hand_over, search
    from adaptation.lab.compressing.steps import name_of
    from adaptation.lab.distilling.distil import distil_model
    from adaptation.lab.models import LabCard, check_model_name, keep_figures
    from adaptation.lab.pruning.prune import prune_model
    from adaptation.lab.work_folder import digest_of
    from kernel.chat.adapters import base_fingerprint
    from kernel.chat.quantised import form_of

    quiet_libraries()
    settings = load_settings()
    folder = check_model_name(name, settings.models, force=force)
    base = folder_of(settings, model)
    steps = steps_of(plan, base, prune=prune_model, distil=distil_model, say=say)
    work = settings.models / f".{name}.search"
    found = search(
        base,
        steps,
        limits,
        _measuring(data, settings.threads, measure, seed),
        work,
        digest=digest_of(plan=plan.as_dict(), limits=limits.as_dict(), base=base_fingerprint(base)),
        resume=resume,
        force=force,
        minutes=minutes,
        say=say,
    )
    best = found.best
    told = _told(found, limits, plan)
    if best is not None and best.figures is not None and best.name != name_of(()):
        card = LabCard(
            name=name,
            method=f"compress {best.name}",
            base=model or settings.generator,
            recipe=plan.as_dict() | {"limits": limits.as_dict()},
        )
        hand_over(best, work, folder, card, force=force)
        card = keep_figures(folder, found.before, best.figures)
        told["made"] = card.model_dump() | {"folder": str(folder.absolute())}
        if export:
            from adaptation.lab.exporting.export import export_model

            say(f"writing {target} and running it once")
            told["export"] = export_model(folder, target, export).as_dict() | {
                "folder": str(target.absolute())
            }
            form = form_of(folder)
            if export == "gguf" and form is not None and form.rank:
                say(f"{export} has no place for what corrects 4 bits: its layers are in 8")
    if not found.cut:  # else --resume goes on with it
        shutil.rmtree(work, ignore_errors=True)
    if as_json:
        print_json(told)
    else:
        _print(found, limits, told, name)
    if best is None:
        raise typer.Exit(_MISSED)


def _asked() -> tuple[str, str, str]:
    """Ask for the limits of the device; what is left empty sets none."""
    questions = (
        "memory of the device for the model, such as 200MB (empty: any)",
        "longest time of an answer, such as 500ms (empty: any)",
        "most quality that may be lost, such as 2% (empty: any)",
    )
    memory, latency, loss = (
        str(typer.prompt(each, default="", show_default=False, err=True)) for each in questions
    )
    return memory, latency, loss


def _measuring(data: Path | None, threads: int, most: int, seed: int) -> Measure:
    """Return what measures a model: by a set, or by general texts where there is none."""
    from adaptation.lab.figures import ModelFigures, measure_model
    from evaluation.adapters.comparing import load_general
    from evaluation.adapters.set_judge import set_judge

    judge, texts = (
        (None, load_general()[1]) if data is None or not most else set_judge(data, most=most, seed=seed)
    )

    def measure(folder: Path, with_answers: bool) -> ModelFigures:
        return measure_model(folder, texts, judge=judge if with_answers else None, threads=threads)

    return measure


def _told(found: Found, limits: Limits, plan: CompressPlan) -> dict[str, Any]:
    nearest = None if found.best is not None else found.nearest(limits)
    return {
        "limits": limits.as_dict(),
        "plan": plan.as_dict(),
        "before": found.before.model_dump(),
        "tried": [each.as_dict() for each in found.tried],
        "cut": found.cut,
        "best": None if found.best is None else found.best.name,
        "nearest": None if nearest is None else nearest.name,
        "misses": {} if nearest is None or nearest.cost is None else limits.misses(nearest.cost),
        "made": None,
        "export": None,
    }


def _print(found: Found, limits: Limits, told: dict[str, Any], name: str) -> None:
    from adaptation.lab.figures import table_of

    print_table(
        ("variant", "memory", "an answer", "lost", "within the limits"), [_row(each) for each in found.tried]
    )
    if found.cut:
        print_text("time ran out before all were tried: --resume tries the others")
    best = found.best
    if best is None or best.figures is None:
        nearest = found.nearest(limits)
        if nearest is None or nearest.cost is None:
            print_text("nothing could be made: what went wrong stands above")
            return
        print_text(
            f"none is within the limits; {nearest.name} comes nearest: {'; '.join(limits.told(nearest.cost))}"
        )
        return
    if told["made"] is None:
        print_text(
            "the model is within the limits as it is, and nothing that is smaller: none was made of it"
        )
        return
    print_text("")
    print_text(table_of(found.before, best.figures))
    if told["export"] is not None:
        ran = told["export"]
        print_text(
            f"{ran['folder']}: {ran['file']}, {ran['bytes'] / 1e6:.1f} MB, was run by {ran['runtime']} and wrote "
            f"'{ran['text']}'; it finds the same token likeliest in {100 * ran['same']:.0f} % of the places"
        )
    print_text(
        f"{best.name} is the smallest within the limits; `tekio ask --variant {name} QUESTION` answers by it"
    )


def _row(tried: Tried) -> tuple[str, ...]:
    cost = tried.cost
    if cost is None:
        return tried.name, "", "", "", tried.why
    return (
        tried.name,
        f"{cost.memory / 1e6:,.1f} MB",
        f"{1000 * cost.seconds:,.0f} ms",
        f"{100 * cost.loss:+.1f} % of {cost.by}",
        "yes" if tried.fits else tried.why or "no",
    )
