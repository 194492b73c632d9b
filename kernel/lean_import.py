"""Semantic Kernel imported without compiling the grammar of a template language that Tekio does not take.

It imports the engine of Handlebars, which spends 0.7 s of every start on its grammar. A function that imports the
engine when a template is compiled takes its place meanwhile; nothing else changes, nor does it for another program in
this process.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

_ENGINE, _KERNEL = "pybars", "semantic_kernel"


@contextmanager
def handlebars_when_needed() -> Iterator[None]:
    """Import Semantic Kernel within this."""
    if _ENGINE in sys.modules or _KERNEL in sys.modules:
        yield
        return
    stand_in = ModuleType(_ENGINE)
    vars(stand_in).update(Compiler=_compiler, PybarsError=_HandlebarsError)
    sys.modules[_ENGINE] = stand_in
    try:
        yield
    finally:
        if sys.modules.get(_ENGINE) is stand_in:
            del sys.modules[_ENGINE]


def _compiler() -> Any:
    """Return the engine's compiler, imported now; what it raises is told as Semantic Kernel tells it."""
    engine = importlib.import_module(_ENGINE)
    template = importlib.import_module(f"{_KERNEL}.prompt_template.handlebars_prompt_template")
    vars(template).update(Compiler=engine.Compiler, PybarsError=engine.PybarsError)
    return engine.Compiler()


class _HandlebarsError(Exception):
    """Stands where the engine's error will; nothing raises it."""
