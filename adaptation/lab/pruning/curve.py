"""The curve of quality over sparsity: its figures, and its picture.

Importing this imports nothing heavy; `sparsity_curve` imports torch and transformers.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from adaptation.finetuning.encoding import Encoded
from adaptation.lab.held_rows import losses_of, perplexity
from adaptation.lab.pruning.plan import PrunePlan
from adaptation.lab.pruning.prune import load, read_rows, seen_of, take_out
from retrieval.errors import UsageError


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """A point of the curve of quality over sparsity: what was asked for and taken, and what that leaves.

    `loss` (nats a token, the mean of held-out rows) and `perplexity` are unhealed; `healed` is the perplexity after
    healing, where the plan heals.
    """

    share: float
    taken: float
    parameters: int
    loss: float
    perplexity: float
    healed: float | None = None


def sparsity_curve(
    folder: Path,
    plan: PrunePlan,
    shares: Sequence[float],
    *,
    say: Callable[[str], None] = lambda text: None,
) -> list[CurvePoint]:
    """Return what is left of a model's quality at each of several sparsities, the least first.

    Args:
        folder: of the model.
        plan: how it is pruned, but for the share.
        shares: each above 0 and below 1.

    Raises:
        UsageError: as of `prune_model`.
    """
    if plan.pattern:
        raise UsageError("a --pattern is of one sparsity: leave it out of a curve")
    for share in shares:
        replace(plan, share=share).check()
    _, rows, held, _ = read_rows(folder, plan)
    model = load(folder)
    seen = seen_of(model, plan, rows)
    losses = losses_of(model, held)
    whole = perplexity(losses, held)
    points = [CurvePoint(0.0, 0.0, _count(model), float(losses.mean()), whole)]
    for share in sorted(set(shares)):
        model = load(folder)
        taken = take_out(model, replace(plan, share=share), seen)
        losses = losses_of(model, held)
        point = CurvePoint(share, taken, _count(model), float(losses.mean()), perplexity(losses, held))
        healed = ""
        if plan.heal:
            point = replace(point, healed=_healed(model, folder, rows, held, plan))
            healed = f", healed {point.healed:.2f}"
        points.append(point)
        say(f"sparsity {share:g}: held-out perplexity {point.perplexity:.2f}{healed}")
    return points


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
        healed = [(point.taken, point.healed) for point in points if point.healed is not None]
        if healed:
            axes.plot(*zip(*healed, strict=True), "s--", label=f"{name}, healed", markersize=4)
    axes.set_xlabel("share taken out")
    axes.set_ylabel("held-out perplexity")
    axes.set_yscale("log")
    axes.grid(alpha=0.3)
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    return True


def _healed(
    model: Any, folder: Path, rows: Sequence[Encoded], held: Sequence[Encoded], plan: PrunePlan
) -> float:
    """Heal a model of what a folder holds, and return its held-out perplexity."""
    from adaptation.lab.pruning.healing import heal

    with tempfile.TemporaryDirectory(prefix="tekio-curve-") as work:
        model, _ = heal(model, rows, held, plan, Path(work), teacher=lambda: load(folder))
    return perplexity(losses_of(model, held), held)


def _count(model: Any) -> int:
    """Return how many weights are not nought."""
    return sum(int((each != 0).sum()) for each in model.parameters())
