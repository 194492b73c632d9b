"""Plots of lines: values over steps or times, a colour for each of several things."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

_HEIGHT = 260


def line_plot(
    rows: Sequence[Mapping[str, Any]],
    *,
    x: Mapping[str, Any],
    y: Mapping[str, Any],
    color: Mapping[str, Any],
    description: str,
) -> None:
    """Draw lines with their points.

    Args:
        rows: the values.
        x: channel of Vega-Lite, with `field`, `type` and `title`; `y` and `color` likewise.
        y: see `x`.
        color: see `x`.
        description: what whoever does not see the plot is told; single points say nothing to them.
    """
    encoding = {"x": x, "y": y, "color": {**color, "title": None, "legend": {"orient": "bottom"}}}
    mark = {"type": "line", "aria": False, "point": {"aria": False}}
    st.vega_lite_chart(
        list(rows), {"mark": mark, "encoding": encoding, "height": _HEIGHT, "description": description}
    )
