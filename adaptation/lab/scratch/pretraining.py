"""What `tekio adapt pretrain` does: a recipe in, a model with its figures out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adaptation.finetuning.curve import CURVE_FILE, draw_curve
from adaptation.finetuning.processes import in_turn, is_first
from adaptation.lab.models import LabCard, check_model_name, keep_model, read_card
from adaptation.lab.scratch.architectures import shape_of
from adaptation.lab.scratch.planning import check, plan_of
from adaptation.lab.scratch.preparing import prepare, windows
from adaptation.lab.scratch.recipe import PretrainRecipe
from retrieval.errors import TekioError, UsageError

if TYPE_CHECKING:
    from adaptation.finetuning.watching import Progress

_PLAN = "plan.json"
_TOKENIZER = "tokenizer.json"
_WATCHED = 64
"""Held-out windows whose loss is watched: it is computed eight times; at the end all are measured."""


def pretrain(
    recipe: PretrainRecipe,
    out: Path,
    *,
    resume: bool = False,
    force: bool = False,
    say: Callable[[str], None] = lambda text: None,
    show: Callable[[Progress], None] | None = None,
) -> LabCard:
    """Train a model from scratch and keep it; it appears when it is whole.

    Args:
        recipe: how.
        out: folder of the model.
        resume: go on with a training that was stopped.
        force: replace a model of this name, or begin anew where a training was stopped.
        say: is told how it goes.
        show: is told how far it is, at every step; without it, `say` is, now and then.

    Raises:
        UsageError: the corpus is too small, or the name is taken.
        TekioError: training failed; its checkpoints are kept.
    """
    check_model_name(out.name, out.parent, force=force or resume)
    check(recipe)
    corpus = prepare(recipe, say)
    work = out.parent / f".{out.name}.training"
    with in_turn():
        if is_first():
            _begin(work, out.name, recipe.digest(corpus.digest), resume=resume, force=force)
        plan = plan_of(recipe, say, corpus=corpus, kept=work / _TOKENIZER)
    try:
        learned, held_out = windows(plan.tokens, recipe)
    except UsageError:
        if is_first() and not any(work.glob("checkpoint-*")):
            shutil.rmtree(work, ignore_errors=True)
        raise
    say(
        f"{plan.chosen.parameters:,} weights, {len(plan.tokens.learned.ids):,} tokens to learn from, "
        f"{plan.chosen.flops:.2g} FLOPs in all"
    )
    from adaptation.finetuning.watching import in_lines
    from adaptation.lab.scratch.collating import collator_of
    from adaptation.lab.scratch.measuring import measure
    from adaptation.lab.scratch.reporting import figures_of, written
    from adaptation.lab.scratch.tokenizing import as_transformers
    from adaptation.lab.scratch.training import Material, new_model, train

    training, kind = recipe.training, recipe.model.kind
    tokenizer = as_transformers(plan.tokens.tokenizer, recipe.model.positions)
    collator = collator_of(kind, tokenizer)
    model = new_model(recipe.model, shape_of(recipe.model.size), plan.tokens.vocabulary, training)
    watched = held_out[:: max(1, len(held_out) // _WATCHED)][:_WATCHED]
    material = Material(learned, watched, collator, kind)
    trained, model = train(model, material, training, work, resume=resume, show=show or in_lines(say))
    found = measure(model, held_out, kind, collator, batch=training.batch, seed=training.seed)
    figures = figures_of(plan, recipe, trained, found, held_out)
    if recipe.task.question and kind == "decoder":
        figures["sample"] = {
            "asked": recipe.task.question,
            "answer": written(model, tokenizer, recipe.task.question),
        }
    card = LabCard(
        name=out.name,
        method="pretrain",
        base="",
        parameters=plan.chosen.parameters,
        bytes=plan.chosen.bytes,
        figures=figures,
        recipe=recipe.model_dump(mode="json"),
    )
    return _kept(model, tokenizer, card, out, work) if is_first() else card


def _begin(work: Path, name: str, digest: str, *, resume: bool, force: bool) -> None:
    """Make the folder of checkpoints, or check that the one that is there goes on."""
    file = work / _PLAN
    held = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None
    if resume:
        if held is None:
            raise UsageError(f"no training of '{name}' was stopped: train without --resume")
        if held["digest"] != digest:
            raise UsageError(
                f"the training of '{name}' that was stopped had another recipe or other texts: give the same ones, or "
                "--force in place of --resume"
            )
        return
    if any(work.glob("checkpoint-*")) and not force:  # without one there is nothing to go on with
        raise UsageError(
            f"a training of '{name}' was stopped before its end: --resume goes on with it, --force begins anew"
        )
    try:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        file.write_text(json.dumps({"digest": digest}) + "\n", encoding="utf-8")
    except OSError as error:
        raise TekioError(f"{work} cannot be written ({error.strerror or error}): free some space") from error


def _kept(model: Any, tokenizer: Any, card: LabCard, out: Path, work: Path) -> LabCard:
    """Keep a model with its card and curve, and take its checkpoints away; return the card as it is kept."""
    model.config.use_cache = True
    # Whether it may be replaced was checked at the start.
    folder = keep_model(out, model, tokenizer, card, force=True)
    draw_curve(card.figures["curve"], folder / CURVE_FILE, title=card.name)
    shutil.rmtree(work, ignore_errors=True)
    return read_card(folder)
