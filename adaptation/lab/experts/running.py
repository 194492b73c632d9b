"""The trainings of one mixture: the dense model that it is held against, and its own, with what both came to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adaptation.finetuning.command import Base
from adaptation.lab.experts.recipe import ExpertRecipe
from adaptation.lab.experts.texts import Windows, in_order
from adaptation.retriever.card import Change

if TYPE_CHECKING:
    from adaptation.lab.experts.measuring import TextLosses
    from adaptation.lab.experts.training import Trained

Say = Callable[[str], None]
_EVEN = 0.01
"""Share by which two counts of active parameters may differ and still be called equal: the gates are so small."""


@dataclass(frozen=True)
class Dense:
    """What a dense model came to: untrained, and trained as the mixture is."""

    losses: TextLosses
    active: int
    seconds: float


class Run:
    """The trainings of one mixture."""

    def __init__(self, base: Base, recipe: ExpertRecipe, windows: Windows, work: Path, say: Say) -> None:
        self._base, self._recipe, self._windows = base, recipe, windows
        self._work, self._say = work, say
        self._learned = in_order(windows.learned, recipe.steps * recipe.rows, seed=recipe.seed)
        texts = [text for domain in sorted(windows.held_out) for text in windows.held_out[domain]]
        self._watched = [ids for text in texts for ids in text]

    def dense(self) -> Dense:
        """Train what the mixture is held against."""
        from adaptation.lab.experts.lora import added_parameters, with_one_expert
        from adaptation.lab.experts.measuring import text_losses
        from adaptation.lab.experts.upcycling import parameters

        model = self._loaded()
        if self._recipe.kind == "lora":
            self._say(
                "plain LoRA of as many ranks as a token's experts have learns first, to hold them against"
            )
            model = with_one_expert(model, self._recipe)
            active = added_parameters(model)[1]
        else:
            self._say("the dense model learns first, to hold the experts against")
            active = parameters(model)[1]
        trained = self._trained(model, "dense")
        return Dense(text_losses(model, self._windows.held_out), active, trained.seconds)

    def mixture(self, dense: Dense | None) -> tuple[Any, Trained, dict[str, Any]]:
        """Train the mixture; return it with its figures."""
        from adaptation.lab.experts.gates import with_training_gates
        from adaptation.lab.experts.lora import added_parameters, with_experts
        from adaptation.lab.experts.measuring import expert_use, text_losses
        from adaptation.lab.experts.upcycling import parameters, upcycled

        recipe, held_out = self._recipe, self._windows.held_out
        base = self._loaded()
        before = text_losses(base, held_out)
        if recipe.kind == "model":
            model = with_training_gates(upcycled(base, recipe), recipe)
            base_size, (total, active) = parameters(base)[0], parameters(model)
            del base
        else:
            base_size = parameters(base)[0]
            model = with_experts(base, recipe)
            total, active = added_parameters(model)
        self._say(f"the mixture learns: {recipe.experts} experts a layer, {recipe.routing}")
        trained = self._trained(model, "mixture")
        after = text_losses(model, held_out)
        use = expert_use(model, held_out)
        figures: dict[str, Any] = {
            "parameters": {"base": base_size, "mixture": total, "active": active},
            "perplexity": {"base": before.perplexity, "mixture": after.perplexity},
            "against_base": Change.of(before.means, after.means).model_dump(),
            "domains": self._by_domain(before, after, dense),
            "experts": use.as_dict(),
            "curve": trained.curve,
            "seconds": {"mixture": round(trained.seconds, 1)},
        }
        if dense is not None:
            figures["parameters"]["dense_active"] = dense.active
            figures["parameters"]["equal"] = abs(active - dense.active) <= _EVEN * dense.active
            figures["perplexity"]["dense"] = dense.losses.perplexity
            figures["against_dense"] = Change.of(dense.losses.means, after.means).model_dump()
            figures["seconds"]["dense"] = round(dense.seconds, 1)
        return model, trained, figures

    def _loaded(self) -> Any:
        from adaptation.finetuning.building import load_base

        return load_base(self._base.folder, "full" if self._recipe.kind == "model" else "lora")

    def _trained(self, model: Any, name: str) -> Trained:
        from adaptation.lab.experts.training import train

        return train(model, self._learned, self._watched, self._recipe, self._work / name, say=self._say)

    def _by_domain(
        self, before: TextLosses, after: TextLosses, dense: Dense | None
    ) -> dict[str, dict[str, float]]:
        """Return the perplexity of each domain; texts stand in the order of their domains."""
        from adaptation.lab.experts.measuring import TextLosses

        found: dict[str, dict[str, float]] = {}
        start = 0
        for domain in sorted(self._windows.held_out):
            part = slice(start, start + len(self._windows.held_out[domain]))
            start = part.stop
            losses = {"base": before, "mixture": after} | ({"dense": dense.losses} if dense else {})
            found[domain] = {
                name: TextLosses(each.nats[part], each.tokens[part]).perplexity
                for name, each in losses.items()
            }
        return found
