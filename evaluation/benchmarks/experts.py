"""Who computes tokens, with and without the balancing loss: `python -m evaluation.benchmarks.experts TEXTS`.

`TEXTS` is a folder whose folders hold the texts of a domain each. A mixture of experts made of the same base learns the
same windows by each routing, once held to an even load and once not, with no bound on what an expert takes. The entropy
of the load is told against that of an even one, and drawn as it went.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from adaptation.finetuning.command import Base
from adaptation.lab.experts.recipe import ROUTINGS, ExpertRecipe
from evaluation.benchmarks.output import run_shown, say
from evaluation.plots import png, pyplot
from kernel.model_store import ModelStore
from kernel.settings import load_settings


@dataclass(frozen=True, slots=True)
class Result:
    """What a mixture came to; the entropy of a load is told against that of an even one.

    Attributes:
        routing: of its recipe.
        balance: weight of the balancing loss.
        load_entropy: on held-out texts, the mean of the layers.
        least_entropy: of the least even layer.
        perplexity: of held-out texts.
        steps: at which the load was looked at in training.
        entropies: of the load then.
    """

    routing: str
    balance: float
    load_entropy: float
    least_entropy: float
    perplexity: float
    steps: list[int]
    entropies: list[float]


def measure(base: Base, texts: Path, recipe: ExpertRecipe, balances: Sequence[float]) -> list[Result]:
    """Make a mixture by each routing and weight of the balancing loss, in this process.

    Raises:
        UsageError: the texts are too few, or the base cannot become a mixture.
        TekioError: a training failed.
    """
    from adaptation.lab.experts.running import Run
    from adaptation.lab.experts.texts import read_windows

    windows, _ = read_windows(texts, base.folder, recipe)
    results = []
    for routing in ROUTINGS:
        for balance in balances:
            chosen = replace(recipe, routing=routing, balance=balance)
            chosen.check()
            say(f"{routing}, balance {balance:g} …")
            with tempfile.TemporaryDirectory(prefix="tekio-experts-") as work:
                _, trained, figures = Run(base, chosen, windows, Path(work), say).mixture(None)
            results.append(_result(chosen, trained.curve, figures))
    return results


def _result(recipe: ExpertRecipe, curve: Sequence[dict[str, float]], figures: dict[str, Any]) -> Result:
    seen = [point for point in curve if "load_entropy" in point]
    return Result(
        recipe.routing,
        recipe.balance,
        figures["experts"]["load_entropy"],
        min(figures["experts"]["load_entropy_by_layer"]),
        figures["perplexity"]["mixture"],
        [int(point["step"]) for point in seen],
        [point["load_entropy"] for point in seen],
    )


def lines(results: Sequence[Result]) -> list[str]:
    """Return the table."""
    rows = [f"{'routing':10}{'balance':>9}{'load entropy':>14}{'least layer':>13}{'perplexity':>12}"]
    rows += [
        f"{each.routing:10}{each.balance:>9g}{each.load_entropy:>14.3f}{each.least_entropy:>13.3f}"
        f"{each.perplexity:>12.2f}"
        for each in results
    ]
    return rows


def draw(results: Sequence[Result], path: Path) -> None:
    """Draw the entropy of the load over the steps of training, as PNG.

    Raises:
        TekioError: matplotlib is not installed.
    """
    figure, axes = pyplot().subplots(figsize=(7, 4))
    for each in results:
        style = "-" if each.balance else "--"
        axes.plot(each.steps, each.entropies, style, label=f"{each.routing}, balance {each.balance:g}")
    axes.axhline(0.9, color="grey", linewidth=0.8)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("step")
    axes.set_ylabel("entropy of the load (even: 1)")
    axes.grid(alpha=0.3)
    axes.legend()
    path.write_bytes(png(figure))


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.benchmarks.experts")
    parser.add_argument("texts", type=Path, help="a folder whose folders hold the texts of a domain each")
    parser.add_argument("--base", default="", help="name or folder of the dense model; that of the settings")
    parser.add_argument("--experts", type=int, default=8, help="of a layer")
    parser.add_argument("--balance", type=float, default=0.01, help="weight of the balancing loss")
    parser.add_argument("--steps", type=int, default=200, help="of the optimiser")
    parser.add_argument("--rows", type=int, default=8, help="windows of a step")
    parser.add_argument("--window", type=int, default=128, help="tokens of a window")
    parser.add_argument("--rate", type=float, default=None, help="learning rate at its highest")
    parser.add_argument("--gate-start", type=float, default=0.1, help="deviation of the gate's first logits")
    parser.add_argument("--out", type=Path, help="file of a picture, PNG")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    options = parser.parse_args()
    recipe = ExpertRecipe(
        experts=options.experts,
        steps=options.steps,
        rows=options.rows,
        together=options.rows,
        window=options.window,
        rate=options.rate,
        gate_start=options.gate_start,
        capacity=0,
    )

    def run() -> list[Result]:
        recipe.check()
        settings = load_settings()
        models = ModelStore(settings.cache, offline=settings.offline, on_message=say)
        found = models.resolve(options.base or settings.generator)
        base = Base(found.name, found.folder, found.revision)
        results = measure(base, options.texts, recipe, (options.balance, 0.0))
        if options.out is not None:
            draw(results, options.out)
        return results

    return run_shown(run, lines, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
