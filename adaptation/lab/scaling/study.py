"""What `tekio adapt scaling` does: a grid of runs, the law, a larger run foretold, and one budget spent in two ways."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from adaptation.lab.scaling.grid import Grid, Point, grid, larger, weights_of
from adaptation.lab.scaling.isoflops import Line, lines
from adaptation.lab.scaling.law import Fitted, Run, check_enough, fit
from adaptation.lab.scratch.preparing import kept_tokenizer, prepare, tokenized, windows
from adaptation.lab.scratch.recipe import PretrainRecipe
from retrieval.errors import UsageError

RUNS_FILE = "runs.jsonl"
_HEAD = 16
_MEASURED = 256
"""Held-out windows that each run is measured on, at most."""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is run.

    Attributes:
        sizes: hidden sizes of the grid.
        tokens: numbers of tokens of the grid.
        held_size: hidden size of the run that is foretold; 0 takes half as much again as the largest.
        budget: FLOPs whose best size is told; 0 takes ten times those of the dearest run.
        resamples: how often the law is fitted to drawn runs.
    """

    sizes: Sequence[int] = (32, 48, 64, 96)
    tokens: Sequence[int] = (32_768, 65_536, 131_072, 262_144)
    held_size: int = 0
    budget: float = 0.0
    resamples: int = 200


@dataclass(frozen=True, slots=True)
class Foretold:
    """A run that the law was not fitted to: its loss and the one foretold, with the band and the relative error."""

    run: Run
    loss: float
    low: float
    high: float

    @property
    def error(self) -> float:
        """Of the foretold loss, as a share of the measured one."""
        return abs(self.loss - self.run.loss) / self.run.loss

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            **asdict(self.run),
            "flops": self.run.flops,
            "foretold": self.loss,
            "band": (self.low, self.high),
            "error": self.error,
        }


@dataclass(frozen=True, slots=True)
class Spent:
    """One budget spent in two ways from a run: on a larger model, and on more tokens.

    Attributes:
        start: the run that both go on from.
        model: the run of a larger model over the tokens of the start.
        data: the run of the model of the start over more tokens.
    """

    start: Run
    model: Foretold
    data: Foretold

    @property
    def better(self) -> str:
        """Which of the two has the lower held-out loss."""
        return "more data" if self.data.run.loss < self.model.run.loss else "bigger model"

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "start": asdict(self.start),
            "bigger model": self.model.as_dict(),
            "more data": self.data.as_dict(),
            "better": self.better,
        }


@dataclass(frozen=True, slots=True)
class Study:
    """All that was found."""

    fitted: Fitted
    lines: list[Line]
    held_out: Foretold
    spent: Spent
    best: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "runs": [{**asdict(run), "flops": run.flops} for run in self.fitted.runs],
            "law": self.fitted.law.as_dict(),
            "bands": self.fitted.bands(),
            "isoflops": [line.as_dict() for line in self.lines],
            "held_out": self.held_out.as_dict(),
            "spent": self.spent.as_dict(),
            "best": self.best,
        }


def study(recipe: PretrainRecipe, plan: Plan, folder: Path, say: Say) -> Study:
    """Run a grid and find what follows from it; runs that are kept in the folder are not done again.

    Args:
        recipe: of the corpus, the tokenizer and the training; the kind is decoder.
        plan: what is run.
        folder: of the finished runs.
        say: is told how it goes.

    Raises:
        UsageError: the corpus is too small for the grid, or the grid for the law; it is said what is needed.
        TekioError: a training failed; the runs before it are kept.
    """
    if recipe.model.kind != "decoder" or recipe.model.retrieval:
        raise UsageError("scaling is of decoders without retrieval: leave out model.kind and model.retrieval")
    points = grid(plan.sizes, plan.tokens)
    check_enough([(point.hidden, point.tokens) for point in points])
    corpus = prepare(recipe, say)
    kept = kept_tokenizer(folder, corpus, recipe.tokenizer)
    tokens = tokenized(corpus, recipe.tokenizer, say, kept=kept)
    learned, held_out = windows(tokens, recipe)
    every = max(1, len(held_out) // _MEASURED)
    runs = Grid(recipe, tokens, learned, held_out[::every][:_MEASURED], folder / RUNS_FILE)
    bigger = _held(points, plan)
    start = larger(points[0], hidden=min(plan.sizes), tokens=min(plan.tokens))
    many, more = _two_ways(start, plan, tokens.vocabulary, recipe.model.positions)
    runs.check([*points, bigger, many, more])
    say(f"{len(points)} runs, the cheapest first; those that are done are kept in {folder}")
    done = [runs.run(point, say) for point in points]
    fitted = fit(done, resamples=plan.resamples, seed=recipe.training.seed)
    say("the law is fitted; a larger run is held against it")
    foretold = _foretold(fitted, runs.run(bigger, say))
    spent = Spent(
        runs.run(start, say), _foretold(fitted, runs.run(many, say)), _foretold(fitted, runs.run(more, say))
    )
    budget = plan.budget or 10 * max(run.flops for run in done)
    return Study(fitted, lines(fitted), foretold, spent, fitted.best(budget))


def _held(points: Sequence[Point], plan: Plan) -> Point:
    """Return the run that is foretold: a larger model over the most tokens of the grid."""
    largest = max(plan.sizes)
    size = plan.held_size or _HEAD * round(1.5 * largest / _HEAD)
    if size <= largest:
        raise UsageError(f"the size that is foretold is above those of the grid, {largest}, not {size}")
    return larger(points[0], hidden=size, tokens=max(plan.tokens))


def _two_ways(start: Point, plan: Plan, vocabulary: int, positions: int) -> tuple[Point, Point]:
    """Return two runs of one budget, a larger model and more tokens, as great as the grid's most tokens allow."""
    weights = weights_of(start, vocabulary, positions)
    bigger = [larger(start, hidden=size) for size in sorted(plan.sizes) if size > start.hidden]
    factors = [(weights_of(point, vocabulary, positions) / weights, point) for point in bigger]
    within = [pair for pair in factors if pair[0] * start.tokens <= max(plan.tokens)]
    if not within:
        raise UsageError(
            f"no size of the grid is so little larger than {start.hidden} that its budget could be spent on tokens: "
            "give sizes that lie closer together, or more --tokens"
        )
    factor, point = max(within, key=lambda pair: pair[0])
    return point, larger(start, tokens=round(factor * start.tokens))


def _foretold(fitted: Fitted, run: Run) -> Foretold:
    return Foretold(run, *fitted.loss(run.parameters, run.tokens))


def advice(found: Study) -> list[str]:
    """Return, in words, what a study says."""
    best, held, spent, law = found.best, found.held_out, found.spent, found.fitted.law
    low, high = best["parameters_band"]
    return [
        f"loss = {law.floor:.3f} + {law.a:.3g} / N^{law.alpha:.3f} + {law.b:.3g} / D^{law.beta:.3f}, fitted to "
        f"{len(found.fitted.runs)} runs",
        f"a larger run, {held.run.parameters:,} weights over {held.run.tokens:,} tokens: foretold {held.loss:.3f} "
        f"[{held.low:.3f}, {held.high:.3f}], measured {held.run.loss:.3f}, {held.error:.1%} apart",
        f"{best['flops']:.2g} FLOPs are best spent on {best['parameters']:,.0f} weights [{low:,.0f}, {high:,.0f}] over "
        f"{best['tokens']:,.0f} tokens, {best['tokens_a_weight']:.0f} a weight",
        f"{spent.model.run.flops:.2g} FLOPs from {spent.start.parameters:,} weights and {spent.start.tokens:,} tokens "
        f"(loss {spent.start.loss:.3f}): a bigger model gives {spent.model.run.loss:.3f}, more data "
        f"{spent.data.run.loss:.3f}; {spent.better} is better",
    ]


__all__ = ["RUNS_FILE", "Foretold", "Plan", "Spent", "Study", "advice", "study"]
