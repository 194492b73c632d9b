"""Plots as PNG, and pages that hold them."""

from __future__ import annotations

import base64
import html
import io
from typing import Any

from retrieval.errors import TekioError


def pyplot() -> Any:
    """Return matplotlib's pyplot, drawing to memory.

    Raises:
        TekioError: matplotlib is not installed.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise TekioError("a report needs matplotlib: install tekio[reports]") from error
    matplotlib.use("Agg")
    from matplotlib import pyplot as found

    return found


def png(figure: Any) -> bytes:
    """Return a figure as PNG, and let go of it."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=110, bbox_inches="tight")
    pyplot().close(figure)
    return file.getvalue()


def embedded(name: str, image: bytes) -> str:
    """Return an image as HTML that needs no other file."""
    data = base64.b64encode(image).decode()
    return f'<p><img alt="{html.escape(name)}" src="data:image/png;base64,{data}"></p>'
