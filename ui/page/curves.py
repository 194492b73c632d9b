"""The curve of a training: the loss of each step, and that of what is not learned from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ui.page.here import Here
from ui.page.plots import line_plot

LOSSES = ("loss", "held_out")


def show_curve(here: Here, points: Sequence[Mapping[str, Any]]) -> None:
    """Draw a curve.

    Args:
        here: the page.
        points: each with its `step`, and of the losses those that are known.
    """
    names = [name for name in LOSSES if any(name in point for point in points)]
    rows = [
        {"step": point["step"], "value": point[name], "of": here.say(name)}
        for point in points
        for name in names
        if name in point
    ]
    line_plot(
        rows,
        x={"field": "step", "type": "quantitative", "title": here.say("step"), "axis": {"tickMinStep": 1}},
        y={"field": "value", "type": "quantitative", "title": here.say("loss"), "scale": {"zero": False}},
        color={"field": "of", "type": "nominal", "sort": [here.say(name) for name in names]},
        description=here.say("loss"),
    )
