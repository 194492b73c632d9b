"""The law as pictures: losses over tokens and sizes with their bands, lines of one budget, and where a budget goes."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from adaptation.lab.scaling.study import Study

_POINTS = 40
_LOSS = "held-out loss, nats a token"


def draw(found: Study, folder: Path) -> list[Path]:
    """Draw three pictures as PNG; return their paths, none where matplotlib is not installed."""
    if find_spec("matplotlib") is None:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    return [
        _drawn(folder / "law.png", found, _law),
        _drawn(folder / "isoflops.png", found, _isoflops),
        _drawn(folder / "budget.png", found, _budget),
    ]


def _drawn(path: Path, found: Study, what: Any) -> Path:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    what(axes, found)
    axes.set_xscale("log")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=110)
    return path


def _law(axes: Any, found: Study) -> None:
    """Draw the loss over tokens, a line and band for each size, and the run that was foretold."""
    fitted, held = found.fitted, found.held_out
    tokens = [run.tokens for run in fitted.runs]
    drawn = np.geomspace(min(tokens), max(tokens), _POINTS)
    for number, size in enumerate(sorted({run.parameters for run in fitted.runs})):
        colour = f"C{number}"
        values = np.array([fitted.loss(size, float(count)) for count in drawn])
        axes.plot(drawn, values[:, 0], color=colour, label=f"{size:,} weights")
        axes.fill_between(drawn, values[:, 1], values[:, 2], color=colour, alpha=0.15, linewidth=0)
        own = [run for run in fitted.runs if run.parameters == size]
        axes.plot([run.tokens for run in own], [run.loss for run in own], "o", color=colour, markersize=4)
    axes.errorbar(
        [held.run.tokens],
        [held.loss],
        yerr=[[max(0.0, held.loss - held.low)], [max(0.0, held.high - held.loss)]],
        fmt="k_",
        label=f"foretold, {held.run.parameters:,} weights",
    )
    axes.plot([held.run.tokens], [held.run.loss], "k*", markersize=10, label="measured")
    axes.set_xlabel("tokens")
    axes.set_ylabel(_LOSS)


def _isoflops(axes: Any, found: Study) -> None:
    """Draw the loss over sizes, a line for each budget."""
    for number, line in enumerate(found.lines):
        colour = f"C{number}"
        axes.plot(*zip(*line.points, strict=True), color=colour, label=f"{line.flops:.1e} FLOPs")
        axes.plot(*zip(*line.measured, strict=True), "o", color=colour, markersize=4)
        if line.lowest is not None:
            axes.axvline(line.lowest, color=colour, linestyle=":", linewidth=1)
    axes.set_xlabel("weights, without the table of the vocabulary")
    axes.set_ylabel(_LOSS)


def _budget(axes: Any, found: Study) -> None:
    """Draw the best size over budgets with its band."""
    least = min(run.flops for run in found.fitted.runs)
    flops = np.geomspace(least, 10 * found.best["flops"], _POINTS)
    told = [found.fitted.best(float(each)) for each in flops]
    bands = np.array([each["parameters_band"] for each in told])
    axes.plot(flops, [each["parameters"] for each in told], label="best size")
    axes.fill_between(flops, bands[:, 0], bands[:, 1], alpha=0.2, linewidth=0, label="95 %")
    axes.plot([found.best["flops"]], [found.best["parameters"]], "k*", markersize=10, label="the budget")
    axes.set_yscale("log")
    axes.set_xlabel("FLOPs, 6 a weight and token")
    axes.set_ylabel("weights")
