"""The steps that a plan allows, each made by the part of the lab that knows how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from adaptation.lab.compressing.plan import CompressPlan, rounding_of
from adaptation.lab.compressing.steps import Step
from adaptation.lab.distilling.plan import DistilPlan
from adaptation.lab.pruning.plan import Kind, PrunePlan
from adaptation.lab.quantising.methods import quantising_method
from adaptation.lab.work_folder import is_stopped

Prune = Callable[..., Any]
"""As `prune_model`."""
Distil = Callable[..., Any]
"""As `distil_model`."""


def steps_of(
    plan: CompressPlan, base: Path, *, prune: Prune, distil: Distil, say: Callable[[str], None]
) -> list[Step]:
    """Return the steps that a plan allows over a model; what learns is left out where there are no rows.

    Args:
        plan: what may be tried.
        base: folder of the model to begin with, the teacher of all students.
        prune: takes a folder, a folder to write and a plan.
        distil: takes a teacher's folder, a student's or None, a folder to write and a plan.
        say: is told how each goes.
    """
    steps = []
    for told in plan.quantise:
        method = quantising_method(rounding_of(told).method)
        if (plan.data is not None or not method.needs_data) and (plan.heal or not method.trains):
            steps.append(_rounding(plan, told, say))
    if plan.data is None:
        say("without --data nothing is pruned or distilled, since that needs rows to heal and to learn by")
        return steps
    kinds: dict[str, Kind] = {each: each for each in get_args(Kind)}
    for kind, share in plan.prune:
        pruned = PrunePlan(
            data=plan.data,
            kind=kinds[kind],
            share=share,
            heal=plan.heal,
            window=plan.window,
            seed=plan.seed,
        )
        steps.append(_pruning(pruned, prune, say))
    taught = DistilPlan(data=plan.data, steps=plan.teach, control=False, window=plan.window, seed=plan.seed)
    return [*steps, *(_teaching(replace(taught, layers=share), base, distil, say) for share in plan.students)]


def _rounding(plan: CompressPlan, told: str, say: Callable[[str], None]) -> Step:
    rounding = replace(rounding_of(told), data=plan.data, steps=plan.heal, window=plan.window, seed=plan.seed)
    name = rounding.method + (f"r{rounding.rank}" if rounding.rank else "")

    def make(source: Path, out: Path) -> Path:
        from adaptation.lab.quantising.quantise import quantise_model

        resume = quantising_method(rounding.method).trains and is_stopped(out)
        return quantise_model(source, out, rounding, resume=resume, force=not resume, say=say)

    return Step(name, "quantise", make)


def _pruning(plan: PrunePlan, prune: Prune, say: Callable[[str], None]) -> Step:
    def make(source: Path, out: Path) -> Path:
        prune(source, out, plan, say=say, **_again(out))
        return out

    return Step(f"{plan.kind}{plan.share:g}", "prune", make)


def _teaching(plan: DistilPlan, base: Path, distil: Distil, say: Callable[[str], None]) -> Step:
    """Return a step that makes a student of the base, or teaches one that was pruned before."""

    def make(source: Path, out: Path) -> Path:
        distil(base, None if source == base else source, out, plan, say=say, **_again(out))
        return out

    return Step(f"student{plan.layers:g}", "distil", make)


def _again(out: Path) -> dict[str, bool]:
    """Return how a run that makes a model begins: where it was stopped, else anew."""
    return {"resume": True} if is_stopped(out) else {"force": True}
