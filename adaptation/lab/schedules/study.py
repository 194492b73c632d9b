"""What `tekio adapt schedules` does: a rate by trial, then one training for each experiment, side by side."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from adaptation.lab.done_runs import DoneRuns
from adaptation.lab.schedules.experiments import Experiment
from adaptation.lab.scratch.architectures import shape_of
from adaptation.lab.scratch.preparing import Tokenized, kept_tokenizer, prepare, tokenized, windows
from adaptation.lab.scratch.recipe import PretrainRecipe, Training
from adaptation.lab.scratch.windows import Window
from retrieval.errors import UsageError

RUNS_FILE = "runs.jsonl"
_RATES = "rates"
_LEAST_WINDOWS = 2
_WATCHED = 64
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """How the experiments are run.

    Attributes:
        experiments: which.
        share: of the windows that those of `overtraining` learn from.
        epochs: how often they do.
        find_rate: try rates first and take the one that is found; else the recipe's is taken.
    """

    experiments: Sequence[Experiment]
    share: float = 0.1
    epochs: float = 20.0
    find_rate: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an experiment came to.

    Attributes:
        name: of the experiment.
        steps: that were done.
        loss: of the last training steps; with smoothed labels it is theirs.
        held_out: loss at the end, on all held-out windows.
        lowest: held-out loss at its lowest, as it was watched, and the step.
        calibration: of the model at the end.
        points: the curve.
        signs: in words, of learning too much or of being too sure.
    """

    name: str
    steps: int
    loss: float
    held_out: float
    lowest: tuple[int, float]
    calibration: dict[str, Any]
    points: list[dict[str, Any]]
    signs: list[str]

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Study:
    """The rates that were tried, None where none were, the rate of the experiments, and what each came to."""

    rates: dict[str, Any] | None
    rate: float
    outcomes: list[Outcome]

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "rates": self.rates,
            "rate": self.rate,
            "experiments": [outcome.as_dict() for outcome in self.outcomes],
        }


def study(recipe: PretrainRecipe, plan: Plan, folder: Path, say: Say) -> Study:
    """Run experiments; those that are kept in the folder are not run again.

    Args:
        recipe: of the corpus, the tokenizer, the model and all that experiments do not change.
        plan: which and how.
        folder: of the finished ones.
        say: is told how it goes.

    Raises:
        UsageError: the corpus is too small; it is said how much is needed.
        TekioError: a training failed; the experiments before it are kept.
    """
    shape_of(recipe.model.size)
    corpus = prepare(recipe, say)
    kept = kept_tokenizer(folder, corpus, recipe.tokenizer)
    tokens = tokenized(corpus, recipe.tokenizer, say, kept=kept)
    learned, held_out = windows(tokens, recipe)
    few = learned[: round(plan.share * len(learned))]
    least = max(_LEAST_WINDOWS, recipe.training.batch)
    if len(few) < least and any(each.group == "overtraining" for each in plan.experiments):
        raise UsageError(
            f"{plan.share:.0%} of the windows are {len(few)}, fewer than the {least} of a step: raise --share to "
            f"{least / len(learned):.2f}, or add texts"
        )
    bench = _Bench(recipe, tokens, held_out, folder, plan)
    rates = bench.rates(learned) if plan.find_rate else None
    rate = recipe.training.rate if rates is None else float(rates["rate"])
    if rates is not None:
        say(f"learning rate {rate:g}: the loss was lowest at about five times as much")
    outcomes = []
    for number, experiment in enumerate(plan.experiments, start=1):
        found = bench.outcome(experiment, few if experiment.group == "overtraining" else learned, rate)
        say(f"{number} of {len(plan.experiments)}, {experiment.name}: held-out loss {found.held_out:.3f}")
        outcomes.append(found)
    return Study(rates, rate, outcomes)


class _Bench:
    """One corpus and model, on which everything is tried from the same beginning."""

    def __init__(
        self, recipe: PretrainRecipe, tokens: Tokenized, held_out: Sequence[Window], folder: Path, plan: Plan
    ) -> None:
        from adaptation.lab.scratch.collating import collator_of
        from adaptation.lab.scratch.tokenizing import as_transformers

        self._recipe, self._tokens, self._held_out, self._plan = recipe, tokens, held_out, plan
        self._collator = collator_of(
            recipe.model.kind, as_transformers(tokens.tokenizer, recipe.model.positions)
        )
        told = recipe.model_dump(mode="json", exclude={"task": True, "data": True, "tokenizer": True})
        numbers = json.dumps([told, plan.share, plan.epochs], sort_keys=True)
        digest = hashlib.sha256(numbers.encode())
        digest.update(tokens.learned.ids.tobytes() + tokens.held_out.ids.tobytes())
        self._done = DoneRuns(folder / RUNS_FILE, digest.hexdigest())

    def rates(self, learned: Sequence[Window]) -> dict[str, Any]:
        """Return the rates that were tried, their losses, and the rate that is taken."""
        return self._done.get(_RATES) or self._done.put(_RATES, self._tried(learned))

    def outcome(self, experiment: Experiment, learned: Sequence[Window], rate: float) -> Outcome:
        """Return what an experiment came to, now or before."""
        key = f"{experiment.name}:{rate:g}"
        held = self._done.get(key) or self._done.put(key, self._trained(experiment, learned, rate).as_dict())
        first, lowest = held["lowest"]
        return Outcome(**{**held, "lowest": (first, lowest)})

    def _tried(self, learned: Sequence[Window]) -> dict[str, Any]:
        from adaptation.finetuning.rate_search import LOWEST, raised_rates
        from adaptation.lab.scratch.collating import Windows
        from adaptation.lab.scratch.training import optimiser_of

        training = self._recipe.training
        arguments = {
            "per_device_train_batch_size": training.batch,
            "max_grad_norm": training.clip,
            "seed": training.seed,
        }
        model = self._model(training)
        optimiser = optimiser_of(model, training.model_copy(update={"rate": LOWEST}))
        with tempfile.TemporaryDirectory(prefix="tekio-rates-") as work:
            found = raised_rates(
                model, Windows(learned), self._collator, Path(work), arguments, optimiser=optimiser
            )
        return {"rates": list(found.rates), "losses": list(found.losses), "rate": found.rate}

    def _trained(self, experiment: Experiment, learned: Sequence[Window], rate: float) -> Outcome:
        from adaptation.finetuning.watching import signs_of_overtraining
        from adaptation.lab.scratch.measuring import measure
        from adaptation.lab.scratch.training import Material, train

        over = {"epochs": self._plan.epochs, "steps": 0} if experiment.group == "overtraining" else {}
        training = self._recipe.training.model_copy(
            update={"rate": rate, "patience": 0, **over, **experiment.training}
        )
        model = self._model(training)
        kind = self._recipe.model.kind
        watched = self._held_out[:: max(1, len(self._held_out) // _WATCHED)][:_WATCHED]
        material = Material(learned, watched, self._collator, kind)
        with tempfile.TemporaryDirectory(prefix="tekio-schedules-") as work:
            # What stops early takes its best weights; the others show their last.
            trained, model = train(model, material, training, Path(work), keep=bool(training.patience))
        found = measure(model, self._held_out, kind, self._collator, batch=training.batch, seed=training.seed)
        watched_losses = [
            (point.step, point.held_out) for point in trained.points if point.held_out is not None
        ]
        losses = [point.loss for point in trained.points if point.loss is not None]
        return Outcome(
            name=experiment.name,
            steps=trained.steps,
            loss=losses[-1],
            held_out=found.loss,
            lowest=min(watched_losses, key=lambda pair: pair[1]),
            calibration=asdict(found.calibration),
            points=[point.model_dump(exclude_none=True) for point in trained.points],
            signs=[*signs_of_overtraining(trained.points), *found.calibration.signs()],
        )

    def _model(self, training: Training) -> Any:
        from adaptation.lab.scratch.training import new_model

        model = self._recipe.model
        return new_model(model, shape_of(model.size), self._tokens.vocabulary, training)
