"""What a recipe comes to before anything is trained.

Importing this imports tokenizers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adaptation.lab.scratch.architectures import Cost, cost_of, shape_of, table_of
from adaptation.lab.scratch.preparing import Corpus, Tokenized, prepare, tokenized
from adaptation.lab.scratch.recipe import PretrainRecipe
from retrieval.errors import UsageError


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
    check(recipe)
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


def check(recipe: PretrainRecipe) -> None:
    """Check what of a recipe has to fit together.

    Raises:
        UsageError: a name is unknown, or numbers do not fit.
    """
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
    if training.optimiser == "muon" and (training.fsdp or training.deepspeed is not None):
        raise UsageError(
            "muon needs whole matrices, which FSDP and DeepSpeed part: take them with training.optimiser=adamw"
        )
