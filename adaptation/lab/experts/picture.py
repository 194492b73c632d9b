"""Which experts compute which domain, as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

USE_FILE = "experts.png"
_COLUMNS = 4
_ACROSS, _DOWN = 3.0, 2.6


def draw_use(shares: Mapping[str, Sequence[Sequence[float]]], path: Path, *, title: str) -> bool:
    """Draw a field for each domain, layers over experts, as PNG; return False where matplotlib is not installed.

    Args:
        shares: of a domain's choices that an expert has, by domain, layer and expert; an even share is white.
        path: of the picture.
        title: of the picture.
    """
    if find_spec("matplotlib") is None:
        return False
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import TwoSlopeNorm
    from matplotlib.figure import Figure

    columns = min(_COLUMNS, len(shares))
    rows = -(-len(shares) // columns)
    figure = Figure(figsize=(_ACROSS * columns + 1, _DOWN * rows + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    experts = len(next(iter(shares.values()))[0])
    even = 1 / experts
    highest = max(value for field in shares.values() for row in field for value in row)
    norm = TwoSlopeNorm(vcenter=even, vmin=0.0, vmax=max(highest, 1.5 * even))
    fields: Any = figure.subplots(rows, columns, squeeze=False).ravel()
    shown: Any = None
    for axes, (domain, field) in zip(fields, shares.items(), strict=False):
        shown = axes.imshow(field, aspect="auto", cmap="RdBu_r", norm=norm, origin="lower")
        axes.set_title(domain, fontsize=9)
        axes.set_xlabel("expert", fontsize=8)
        axes.set_ylabel("layer", fontsize=8)
        axes.tick_params(labelsize=7)
    for axes in fields[len(shares) :]:
        axes.set_axis_off()
    figure.colorbar(shown, ax=list(fields), label=f"share of the tokens (even: {even:.3f})")
    figure.suptitle(title)
    figure.savefig(path, dpi=110)
    return True
