"""The loss curve of a training as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

CURVE_FILE = "curve.png"


def draw_curve(points: Sequence[Mapping[str, Any]], path: Path, *, title: str) -> bool:
    """Draw losses, or rewards, over steps as PNG; return False where matplotlib is not installed.

    Args:
        points: `step`, with `loss` or `held_out` in nats a token, or with `reward`.
        path: of the picture.
        title: of the picture.
    """
    if find_spec("matplotlib") is None:
        return False
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    judged = any(point.get("reward") is not None for point in points)
    lines = (
        (("reward", "reward", "-"),)
        if judged
        else (("loss", "training", "-"), ("held_out", "held out", "o-"))
    )
    for name, label, style in lines:
        found = [(point["step"], point[name]) for point in points if point.get(name) is not None]
        if found:
            axes.plot(*zip(*found, strict=True), style, label=label, markersize=4)
    axes.set_xlabel("step")
    axes.set_ylabel("reward" if judged else "loss, nats a token")
    axes.set_title(title)
    if not judged:
        axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=110)
    return True
