"""What a training from scratch came to, beside an n-gram, with what is to be said of it.

Importing this imports torch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch

from adaptation.finetuning.training import Trained
from adaptation.finetuning.watching import signs_of_overtraining
from adaptation.lab.scratch.collating import scored
from adaptation.lab.scratch.measuring import HeldOut
from adaptation.lab.scratch.ngram import KneserNey
from adaptation.lab.scratch.planning import Plan
from adaptation.lab.scratch.preparing import Tokenized
from adaptation.lab.scratch.recipe import PretrainRecipe
from adaptation.lab.scratch.windows import Window

_TOKENS_A_WEIGHT = 20
"""That a budget is best spent with, about (Hoffmann et al., 2022)."""
_ORDER = 4
_NEW_TOKENS = 40


def figures_of(
    plan: Plan, recipe: PretrainRecipe, trained: Trained, found: HeldOut, held_out: Sequence[Window]
) -> dict[str, Any]:
    """Return all that the training came to, with what is to be said of it."""
    gram = of_ngram(plan.tokens, held_out, recipe)
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
        "ngram": {"order": _ORDER, "smoothing": "modified Kneser-Ney", "perplexity": gram},
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


def of_ngram(tokens: Tokenized, held_out: Sequence[Window], recipe: PretrainRecipe) -> float | None:
    """Return the perplexity of a 4-gram on the tokens that the model is scored on; None for an encoder."""
    kind = recipe.model.kind
    if kind == "encoder":
        return None
    places = [window.start + place for window in held_out for place in scored(kind, window)]
    model = KneserNey(tokens.learned.ids, tokens.vocabulary, order=_ORDER)
    return model.perplexity(tokens.held_out.ids, np.array(places, dtype=np.int64))


def written(model: Any, tokenizer: Any, question: str) -> str:
    """Return what a model goes on with, its likeliest tokens."""
    prompt = tokenizer(question, return_tensors="pt").to(model.device)
    model.eval()
    with torch.no_grad():
        ids = model.generate(
            **prompt, max_new_tokens=_NEW_TOKENS, do_sample=False, repetition_penalty=1.2, use_cache=True
        )
    return str(tokenizer.decode(ids[0, prompt["input_ids"].shape[1] :], skip_special_tokens=True)).strip()
