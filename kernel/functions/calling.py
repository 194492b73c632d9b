"""Calling one function: arguments checked before, the result bounded, every failure one line."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from semantic_kernel import Kernel

from kernel.answer import FunctionCall
from plugins.calculator_plugin import PLUGIN_NAME as CALCULATOR
from plugins.calculator_plugin import CalculatorPlugin
from plugins.date_plugin import PLUGIN_NAME as DATES
from plugins.date_plugin import DatePlugin
from plugins.external.as_plugin import arguments_for, as_plugin, own_functions
from plugins.external.attached import AttachedFunctions, AttachedState
from plugins.external.attachment import Attachment
from plugins.external.offered import OfferedFunction, cut
from retrieval.errors import TekioError

_MORE_SECONDS = 2.0
_OWN = {CALCULATOR: CalculatorPlugin, DATES: DatePlugin}
OWN_PLUGINS = tuple(_OWN)


class Toolbox:
    """All functions that may be called: those of Tekio's own that are switched on, and what is attached.

    They are in a kernel of their own, which has no other plugin and no service: whatever is called through it,
    retrieval, memory and models are out of its reach.
    """

    def __init__(self, own: Sequence[str], attachments: Sequence[Attachment]) -> None:
        """Make it; nothing is connected yet.

        Args:
            own: which of `calculator` and `dates` there are.
            attachments: what is attached.
        """
        self.kernel = Kernel()
        for name in own:
            self.kernel.add_plugin(_OWN[name](), name)
        self._own = [each for name in own for each in own_functions(self.kernel, name)]
        self._attached = AttachedFunctions(attachments)
        self._known: dict[str, AttachedState] = {}

    def own(self) -> list[OfferedFunction]:
        """Return Tekio's own functions."""
        return list(self._own)

    async def states(self) -> list[AttachedState]:
        """Connect what is attached, each within its time, and return how it stands."""
        states = await self._attached.states()
        for state in states:
            name = state.attachment.name
            if self._known.get(name) is not state:
                self.kernel.add_plugin(as_plugin(name, state.functions))
                self._known[name] = state
        return states

    async def call(self, function: OfferedFunction, arguments: Mapping[str, Any]) -> FunctionCall:
        """Call a function; a failure is in what is returned, and never raised."""
        started = time.perf_counter()
        result, error = None, _mistake(arguments, function.parameters)
        if not error:
            try:
                result = cut(await self._result(function, arguments), function.characters)
            except TimeoutError:
                error = f"no answer within {function.seconds:g} s"
            except Exception as raised:
                error = _reason(raised)
        ms = round(1000 * (time.perf_counter() - started), 1)
        return FunctionCall(
            name=function.full_name, arguments=dict(arguments), result=result, error=error or None, ms=ms
        )

    async def _result(self, function: OfferedFunction, arguments: Mapping[str, Any]) -> str:
        chosen = self.kernel.get_function(function.plugin, function.name)
        work = self.kernel.invoke(chosen, arguments_for(function, arguments))
        found = await asyncio.wait_for(work, function.seconds + _MORE_SECONDS)
        return str(found.value) if found is not None else ""

    def close(self) -> None:
        """End the connections to what is attached."""
        self._attached.close()


def _mistake(arguments: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """Return what is wrong with arguments; empty where they fit."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError, best_match

    try:
        found = best_match(Draft202012Validator(dict(schema)).iter_errors(dict(arguments)))
    except (SchemaError, RecursionError, TypeError, ValueError) as error:
        return f"its schema cannot be used: {type(error).__name__}"
    return "" if found is None else f"the arguments do not fit: {' '.join(found.message.split())[:200]}"


def _reason(error: BaseException) -> str:
    """Return the error of ours that Semantic Kernel wrapped, in one line; of another no more than its class."""
    inner: BaseException | None = error
    while inner is not None and not isinstance(inner, TekioError):
        inner = inner.__cause__
    return " ".join(str(inner).split())[:300] if inner is not None else f"it failed ({type(error).__name__})"
