"""What `tekio adapt pretrain` does: a recipe in, a model with its figures out."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adaptation.finetuning.curve import CURVE_FILE, draw_curve
from adaptation.finetuning.processes import in_turn, is_first
from adaptation.lab.models import LabCard, check_model_name, keep_model
from adaptation.lab.scratch.architectures import Cost, cost_of, shape_of, table_of
from adaptation.lab.scratch.preparing import Corpus, Tokenized, prepare, tokenized, windows
from adaptation.lab.scratch.recipe import PretrainRecipe
from retrieval.errors import TekioError, UsageError

if TYPE_CHECKING:
    from adaptation.finetuning.training import Trained
    from adaptation.finetuning.watching import Progress
    from adaptation.lab.scratch.measuring import HeldOut
    from adaptation.lab.scratch.windows import Window

_PLAN = "plan.json"
_TOKENIZER = "tokenizer.json"
_WATCHED = 64
"""Held-out windows whose loss is watched: it is computed eight times; at the end all are measured."""
_TOKENS_A_WEIGHT = 20
"""That a budget is best spent with, about (Hoffmann et al., 2022)."""
_NEW_TOKENS = 40


@dataclass(frozen=True, slots=True)
class Plan:
    """What is known before anything is trained: the corpus, its tokens, and what each architecture costs."""

    corpus: Corpus
    tokens: Tokenized
    table: list[Cost]
    chosen: Cost

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "cleaning": [step.as_dict() for step in self.corpus.steps],
            "counts": [each.as_dict() for each in self.corpus.counts],
            "texts": {"learned": len(self.corpus.learned), "held_out": len(self.corpus.held_out)},
            "tokenizers": [fit.as_dict() for fit in self.tokens.fits],
            "tokenizer": self.tokens.name,
            "tokens": {"learned": len(self.tokens.learned.ids), "held_out": len(self.tokens.held_out.ids)},
            "architectures": [cost.as_dict() for cost in self.table],
            "chosen": self.chosen.as_dict(),
        }


def plan_of(
    recipe: PretrainRecipe,
    say: Callable[[str], None],
    *,
    corpus: Corpus | None = None,
    kept: Path | None = None,
) -> Plan:
    """Return what a recipe comes to before training.

    Args:
        recipe: how.
        say: is told how it goes.
        corpus: that is prepared already.
        kept: file of the tokenizer, see `tokenized`.

    Raises:
        UsageError: there are too few texts, or a number or name of the recipe does not fit the others.
    """
    _check(recipe)
    training, model = recipe.training, recipe.model
    corpus = prepare(recipe, say) if corpus is None else corpus
    tokens = tokenized(corpus, recipe.tokenizer, say, kept=kept)
    learned = training.steps * training.batch * training.window or training.epochs * len(tokens.learned.ids)
    common: dict[str, Any] = {
        "vocabulary": tokens.vocabulary,
        "positions": model.positions,
        "window": training.window,
        "batch": training.batch,
        "tokens": learned,
    }
    return Plan(corpus, tokens, table_of(**common), cost_of(model.kind, shape_of(model.size), **common))


def _check(recipe: PretrainRecipe) -> None:
    shape_of(recipe.model.size)
    training, model = recipe.training, recipe.model
    if model.positions < training.window:
        raise UsageError(
            f"model.positions ({model.positions:,}) is less than training.window ({training.window:,}): raise it"
        )
    if model.retrieval and model.positions < 2 * training.window:
        raise UsageError(
            "with model.retrieval a window is read behind another one: model.positions is at least "
            f"{2 * training.window:,}"
        )
    if model.retrieval and model.kind == "encoder":
        raise UsageError("model.retrieval is for a decoder or an encoder-decoder, not for an encoder")


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
    _check(recipe)
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
    from adaptation.lab.scratch.tokenizing import as_transformers
    from adaptation.lab.scratch.training import Material, new_model, train

    training, kind = recipe.training, recipe.model.kind
    tokenizer = as_transformers(plan.tokens.tokenizer, recipe.model.positions)
    collator = collator_of(kind, tokenizer)
    model = new_model(recipe.model, shape_of(recipe.model.size), plan.tokens.vocabulary, training)
    watched = held_out[:: max(1, len(held_out) // _WATCHED)][:_WATCHED]
    material = Material(learned, watched, collator, kind)
    trained = train(model, material, training, work, resume=resume, show=show or in_lines(say))
    found = measure(model, held_out, kind, collator, batch=training.batch, seed=training.seed)
    figures = _figures(plan, recipe, trained, found, held_out)
    if recipe.task.question and kind == "decoder":
        figures["sample"] = {
            "asked": recipe.task.question,
            "answer": _written(model, tokenizer, recipe.task.question),
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
    if is_first():
        _keep(model, tokenizer, card, out, work)
    return card


def _figures(
    plan: Plan, recipe: PretrainRecipe, trained: Trained, found: HeldOut, held_out: Sequence[Window]
) -> dict[str, Any]:
    """Return all that the training came to, with what is to be said of it."""
    from adaptation.finetuning.watching import signs_of_overtraining

    gram = _of_ngram(plan.tokens, held_out, recipe)
    # An encoder's masked tokens are another task, and no n-gram does it.
    bits = found.loss / math.log(2) * len(plan.tokens.held_out.ids) / max(1, plan.tokens.held_out.bytes)
    measured = found.perplexity if recipe.task.measure == "perplexity" else bits
    goal = recipe.task.goal or (gram if recipe.task.measure == "perplexity" else None)
    notices = [*signs_of_overtraining(trained.points), *found.calibration.signs()]
    if trained.stopped_early:
        notices.append(f"stopped early at step {trained.steps:,}: the held-out loss fell no further")
    enough = _TOKENS_A_WEIGHT * plan.chosen.parameters
    if len(plan.tokens.learned.ids) < enough:
        notices.append(
            f"{len(plan.tokens.learned.ids):,} tokens are few for {plan.chosen.parameters:,} weights: about {enough:,} "
            "would be needed to learn each once; so they are learned several times, and a smaller model may do as well"
        )
    return {
        "held_out": {
            "perplexity": found.perplexity,
            "loss": found.loss,
            "bits_per_byte": bits,
            "tokens": found.tokens,
        },
        "ngram": {"order": 4, "smoothing": "modified Kneser-Ney", "perplexity": gram},
        "measure": recipe.task.measure,
        "measured": measured,
        "goal": goal,
        "reached": None if goal is None else measured < goal,
        "calibration": asdict(found.calibration),
        "training": {**asdict(replace(trained, points=[])), "points": len(trained.points)},
        "curve": [point.model_dump(exclude_none=True) for point in trained.points],
        "plan": plan.as_dict(),
        "notices": notices,
    }


def _of_ngram(tokens: Tokenized, held_out: Sequence[Window], recipe: PretrainRecipe) -> float | None:
    """Return the perplexity of a 4-gram on the tokens that the model is scored on; None for an encoder."""
    import numpy as np

    from adaptation.lab.scratch.collating import scored
    from adaptation.lab.scratch.ngram import KneserNey

    kind = recipe.model.kind
    if kind == "encoder":
        return None
    places = [window.start + place for window in held_out for place in scored(kind, window)]
    model = KneserNey(tokens.learned.ids, tokens.vocabulary)
    return model.perplexity(tokens.held_out.ids, np.array(places, dtype=np.int64))


def _written(model: Any, tokenizer: Any, question: str) -> str:
    """Return what a model goes on with, its likeliest tokens."""
    import torch

    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": question}], return_tensors="pt", return_dict=True
    )
    prompt = {name: value.to(model.device) for name, value in prompt.items()}
    model.eval()
    with torch.no_grad():
        ids = model.generate(
            **prompt, max_new_tokens=_NEW_TOKENS, do_sample=False, repetition_penalty=1.2, use_cache=True
        )
    return str(tokenizer.decode(ids[0, prompt["input_ids"].shape[1] :], skip_special_tokens=True)).strip()


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


def _keep(model: Any, tokenizer: Any, card: LabCard, out: Path, work: Path) -> None:
    """Keep a model with its card and curve, and take its checkpoints away."""
    model.config.use_cache = True
    folder = keep_model(
        out, model, tokenizer, card, force=True
    )  # that it may be replaced was checked at the start
    draw_curve(card.figures["curve"], folder / CURVE_FILE, title=card.name)
    shutil.rmtree(work, ignore_errors=True)
