"""A model in fewer bits: rounded at once, by what was seen of its inputs, or while it learns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adaptation.lab.models import LabCard, check_model_name, keep_written
from adaptation.lab.quantising.methods import quantising_method
from adaptation.lab.quantising.plan import LEAST_CALIBRATION, QuantisePlan
from adaptation.lab.work_folder import begin_work, digest_of, end_work, work_of
from kernel.chat.quantised import CORRECTION_DOWN, CORRECTION_UP, Form, form_of
from retrieval.errors import UsageError

if TYPE_CHECKING:
    from adaptation.finetuning.watching import Progress


def quantise_model(
    folder: Path,
    out: Path,
    plan: QuantisePlan,
    *,
    base: str = "",
    resume: bool = False,
    force: bool = False,
    say: Callable[[str], None] = lambda text: None,
    show: Callable[[Progress], None] | None = None,
) -> Path:
    """Write a model in fewer bits, with its card; return its folder, in which it is whole or not at all.

    The same plan over the same model gives the same file to the byte; so does a `qat` that was stopped and resumed.

    Args:
        folder: of the model, as transformers reads it, in floats.
        out: of the new one.
        plan: how.
        base: what the card calls the model; its folder's name unless given.
        resume: go on with a `qat` that was stopped.
        force: replaces a model that is there, and a `qat` that was stopped.
        say: is told how it goes.
        show: is told how far a `qat` is, at every step; without it `say` is.

    Raises:
        UsageError: the plan does not fit, the set is too small, or the model is in few bits already.
        TekioError: learning failed, or the model cannot be written.
    """
    plan.check()
    check_model_name(out.name, out.parent, force=force)
    method = quantising_method(plan.method)
    if not (folder / "config.json").is_file():
        raise UsageError(f"there is no model in {folder}: name a folder with a config.json")
    if form_of(folder) is not None:
        raise UsageError(
            f"the weights in {folder} are held in few bits already: quantise the model that it was made of"
        )
    if resume and not method.trains:
        raise UsageError(f"--resume belongs to the method qat: {method.name} takes seconds, begin it anew")
    from adaptation.finetuning.building import load_base

    facts: dict[str, Any] = {}
    scales: dict[str, float] | None = None
    if method.trains:
        model, facts = _learned(folder, out, plan, resume=resume, force=force, say=say, show=show)
    else:
        model = load_base(folder, "full")
        if method.form.static:
            scales, facts = _calibrated(model, folder, plan, say)
        elif plan.rank:
            facts = _corrected(model, plan, say)
    card = LabCard(
        name=out.name,
        method=f"quantise {method.name}",
        base=base or folder.name,
        recipe=plan.as_dict() | {"facts": facts},
    )
    kept = _kept(model, folder, out, plan.form, card, scales, force=force)
    if method.trains:
        end_work(work_of(out))
    return kept


def _kept(
    model: Any,
    folder: Path,
    out: Path,
    form: Form,
    card: LabCard,
    scales: dict[str, float] | None,
    *,
    force: bool,
) -> Path:
    from adaptation.lab.quantising.writing import write_quantised

    tied = set(getattr(model, "all_tied_weights_keys", None) or ())
    beside = (CORRECTION_DOWN, CORRECTION_UP)
    parameters = sum(
        tensor.numel()
        for name, tensor in model.state_dict().items()
        if name not in tied and not name.endswith(beside)
    )
    return keep_written(
        out,
        lambda work: write_quantised(model, folder, work, form, scales),
        card.model_copy(update={"parameters": parameters}),
        force=force,
    )


def _corrected(model: Any, plan: QuantisePlan, say: Callable[[str], None]) -> dict[str, Any]:
    """Give the layers of a model what corrects them; return what that came to."""
    from adaptation.lab.quantising.correcting import correct

    left = correct(model, plan.rank, seed=plan.seed)
    say(f"a correction of rank {plan.rank} leaves {left:.2f} of the error of 4 bits")
    return {"error_left": left}


def _calibrated(
    model: Any, folder: Path, plan: QuantisePlan, say: Callable[[str], None]
) -> tuple[dict[str, float], dict[str, Any]]:
    """Return the steps of inputs, the model's inputs made easier to round before."""
    from adaptation.lab.held_rows import lab_rows
    from adaptation.lab.quantising.calibrating import find_input_scales, smooth
    from adaptation.training_sets.card import check_set
    from kernel.chat.chat_tokens import ChatTokenizer

    assert plan.data is not None  # `check` has seen to it
    check_set(plan.data)
    found = lab_rows(ChatTokenizer(folder), plan.data, "train", window=plan.window, most=plan.calibration)
    rows = [[*row.prompt, *row.answer] for row in found]
    if len(rows) < LEAST_CALIBRATION:
        raise UsageError(
            f"{plan.data} has {len(rows)} rows that fit --window {plan.window}, {LEAST_CALIBRATION} are needed to see "
            "what goes through the layers: make a larger set by `tekio adapt dataset`"
        )
    say(f"looking at {len(rows):,} rows, {sum(map(len, rows)):,} tokens")
    smoothed = smooth(model, rows, plan.smoothing)
    scales = find_input_scales(model, rows)
    return scales, {"rows": len(rows), "tokens": sum(map(len, rows)), "smoothed": smoothed}


def _learned(
    folder: Path,
    out: Path,
    plan: QuantisePlan,
    *,
    resume: bool,
    force: bool,
    say: Callable[[str], None],
    show: Callable[[Progress], None] | None,
) -> tuple[Any, dict[str, Any]]:
    """Return a model that learned while it computed with rounded weights, and what that came to."""
    from transformers import set_seed

    from adaptation.finetuning.answers import answer_trainer
    from adaptation.finetuning.building import load_base
    from adaptation.finetuning.training import run
    from adaptation.finetuning.watching import in_lines, signs_of_overtraining
    from adaptation.lab.distilling.training import kind_of_trainer
    from adaptation.lab.held_rows import learned_and_held
    from adaptation.lab.quantising.rounding import round_no_more, round_while_learning
    from kernel.chat.adapters import base_fingerprint
    from kernel.chat.chat_tokens import ChatTokenizer

    assert plan.data is not None  # `check` has seen to it
    rows, held_out, data_hash = learned_and_held(ChatTokenizer(folder), plan.data, window=plan.window)
    digest = digest_of(plan=plan.as_dict(), data=data_hash, base=base_fingerprint(folder))
    work = begin_work(out, digest, resume=resume, force=force)
    set_seed(plan.seed)
    model = load_base(folder, "full")
    corrected = _corrected(model, plan, say) if plan.rank else {}
    layers = round_while_learning(model)
    say(f"{layers} layers learn with weights of 4 bits, by {len(rows):,} rows")
    taught = kind_of_trainer(plan.teaching, lambda: load_base(folder, "full"))
    trainer, schedule = answer_trainer(model, rows, held_out, plan.recipe, work, kind=taught)
    begun = resume and any(work.glob("checkpoint-*"))  # else it was stopped before there was one
    trained = run(trainer, plan.recipe, schedule, resume=begun, show=show or in_lines(say))
    round_no_more(model)
    facts = {
        "layers": layers,
        "rows": len(rows),
        "data_hash": data_hash,
        "steps": trained.steps,
        "held_out_before": trained.held_out_before,
        "held_out": trained.held_out,
        "stopped_early": trained.stopped_early,
        "notices": signs_of_overtraining(trained.points),
    } | corrected
    return model, facts


__all__ = ["quantise_model"]
