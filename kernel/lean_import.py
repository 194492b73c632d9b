"""Semantic Kernel imported without what it takes seconds to import and Tekio does not use.

It imports the engine of Handlebars, which compiles its grammar, and all of OpenAI's client for two small types. A
function that imports the engine when a template is compiled stands in for the one, empty packages around the module
with the types for the other, while Semantic Kernel is imported. Nothing else changes, for another program in this
process either: whoever imports them later gets them whole, with the same types.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.machinery import PathFinder
from types import ModuleType
from typing import Any

_ENGINE, _CLIENT, _KERNEL = "pybars", "openai", "semantic_kernel"


@contextmanager
def lean_import() -> Iterator[None]:
    """Import Semantic Kernel within this."""
    with ExitStack() as stack:
        if _KERNEL not in sys.modules:
            stack.enter_context(_handlebars_when_needed())
            stack.enter_context(_types_of_openai_alone())
        yield


@contextmanager
def _handlebars_when_needed() -> Iterator[None]:
    if _ENGINE in sys.modules:
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


@contextmanager
def _types_of_openai_alone() -> Iterator[None]:
    """Have `openai.types` hold the types of a completion's usage, and `openai` nothing but `openai.types`."""
    spec = None if _CLIENT in sys.modules else importlib.util.find_spec(_CLIENT)
    if spec is None or spec.submodule_search_locations is None:
        yield
        return
    stand_ins = {_CLIENT: _empty_package(_CLIENT, list(spec.submodule_search_locations))}
    sys.modules.update(stand_ins)
    try:
        inner = PathFinder.find_spec(f"{_CLIENT}.types", stand_ins[_CLIENT].__path__)
        if inner is not None and inner.submodule_search_locations is not None:
            types = _empty_package(inner.name, list(inner.submodule_search_locations))
            stand_ins[inner.name] = sys.modules[inner.name] = types
            usage = importlib.import_module(f"{inner.name}.completion_usage")
            vars(types).update(CompletionUsage=usage.CompletionUsage)
        yield
    finally:
        for name, module in stand_ins.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]


def _empty_package(name: str, places: list[str]) -> ModuleType:
    package = ModuleType(name)
    package.__path__ = places
    return package


def _compiler() -> Any:
    """Return the engine's compiler, imported now; what it raises is told as Semantic Kernel tells it."""
    engine = importlib.import_module(_ENGINE)
    template = importlib.import_module(f"{_KERNEL}.prompt_template.handlebars_prompt_template")
    vars(template).update(Compiler=engine.Compiler, PybarsError=engine.PybarsError)
    return engine.Compiler()


class _HandlebarsError(Exception):
    """Stands where the engine's error will; nothing raises it."""
