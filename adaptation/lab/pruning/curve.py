"""The curve of quality over sparsity as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from adaptation.lab.pruning.prune import CurvePoint


def draw_sparsity(curves: Mapping[str, Sequence[CurvePoint]], path: Path) -> bool:
    """Draw held-out perplexity over what was taken out, a line a method, as PNG; False without matplotlib."""
    if find_spec("matplotlib") is None:
        return False
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for name, points in curves.items():
        axes.plot(
            [point.taken for point in points],
            [point.perplexity for point in points],
            "o-",
            label=name,
            markersize=4,
        )
    axes.set_xlabel("share taken out")
    axes.set_ylabel("held-out perplexity, unhealed")
    axes.set_yscale("log")
    axes.grid(alpha=0.3)
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    return True
