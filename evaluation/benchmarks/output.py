"""How a benchmark hands out what it measured."""

from __future__ import annotations

import json
from collections.abc import Callable


def show(document: object, table: Callable[[], None], *, as_json: bool) -> None:
    """Print one JSON document, or what the benchmark prints for people."""
    if as_json:
        print(json.dumps(document, indent=2))
    else:
        table()
