"""Experiments as pictures: losses over rates, curves of training and held-out loss, and how sure against how right."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from adaptation.lab.schedules.experiments import EXPERIMENTS
from adaptation.lab.schedules.study import Outcome, Study

_LOSS = "loss, nats a token"


def draw(found: Study, folder: Path) -> list[Path]:
    """Draw pictures as PNG; return their paths, none where matplotlib is not installed."""
    if find_spec("matplotlib") is None:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    if found.rates is not None:
        drawn.append(_rates(found, folder / "rates.png"))
    for group in ("schedules", "overtraining"):
        own = [outcome for outcome in found.outcomes if EXPERIMENTS[outcome.name].group == group]
        if own:
            drawn.append(_curves(own, folder / f"{group}.png"))
    if found.outcomes:
        drawn.append(_calibration(found.outcomes, folder / "calibration.png"))
    return drawn


def _figure() -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.grid(alpha=0.3)
    return figure, axes


def _rates(found: Study, path: Path) -> Path:
    figure, axes = _figure()
    rates = found.rates or {}
    axes.plot(rates["rates"], rates["losses"])
    axes.axvline(rates["rate"], color="k", linestyle=":", label=f"taken: {rates['rate']:g}")
    axes.set_xscale("log")
    axes.set_xlabel("learning rate")
    axes.set_ylabel(_LOSS)
    axes.legend()
    figure.savefig(path, dpi=110)
    return path


def _curves(outcomes: list[Outcome], path: Path) -> Path:
    """Draw the held-out loss of each as a line, that of training dotted in the same colour."""
    figure, axes = _figure()
    for number, outcome in enumerate(outcomes):
        for name, style in (("held_out", "-"), ("loss", ":")):
            points = [(point["step"], point[name]) for point in outcome.points if name in point]
            label = outcome.name if name == "held_out" else None
            axes.plot(*zip(*points, strict=True), style, color=f"C{number}", label=label)
    axes.set_xlabel("step; held out, and dotted in training")
    axes.set_ylabel(_LOSS)
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=110)
    return path


def _calibration(outcomes: list[Outcome], path: Path) -> Path:
    figure, axes = _figure()
    axes.plot([0, 1], [0, 1], "k:", linewidth=1)
    for outcome in outcomes:
        bins = [(sure, right) for tokens, sure, right in outcome.calibration["bins"] if tokens]
        label = f"{outcome.name}, error {outcome.calibration['error']:.3f}"
        axes.plot(*zip(*bins, strict=True), "o-", markersize=3, label=label)
    axes.set_xlabel("probability of the likeliest token")
    axes.set_ylabel("share that is right")
    axes.legend(fontsize=7)
    figure.savefig(path, dpi=110)
    return path
