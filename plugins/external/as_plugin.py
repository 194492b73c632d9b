"""Functions of others as a plugin of Semantic Kernel, and Tekio's own plugins as functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from semantic_kernel import Kernel
from semantic_kernel.functions.kernel_arguments import KernelArguments
from semantic_kernel.functions.kernel_function import KernelFunction
from semantic_kernel.functions.kernel_function_decorator import kernel_function
from semantic_kernel.functions.kernel_function_from_method import KernelFunctionFromMethod
from semantic_kernel.functions.kernel_parameter_metadata import KernelParameterMetadata
from semantic_kernel.functions.kernel_plugin import KernelPlugin

from plugins.external.offered import OfferedFunction

VALUES = "values"
"""The one parameter of a foreign function, with all its arguments.

Semantic Kernel fills parameters named `service`, `kernel`, `arguments` and `execution_settings` itself, whatever a
server means by them.
"""
_OWN_SECONDS = 5.0
_OWN_CHARACTERS = 2000


def as_plugin(name: str, functions: Sequence[OfferedFunction]) -> KernelPlugin:
    """Return foreign functions as a plugin."""
    return KernelPlugin(name=name, functions=[_kernel_function(each) for each in functions])


def own_functions(kernel: Kernel, plugin: str) -> list[OfferedFunction]:
    """Return the functions of a plugin of Tekio's own that is in a kernel."""
    return [_offered(kernel, plugin, function) for function in kernel.plugins[plugin]]


def arguments_for(function: OfferedFunction, arguments: Mapping[str, Any]) -> KernelArguments:
    """Return the arguments by which a kernel calls a function."""
    return KernelArguments(**arguments) if function.is_own else KernelArguments(**{VALUES: dict(arguments)})


def _kernel_function(offered: OfferedFunction) -> KernelFunction:
    @kernel_function(name=offered.name, description=offered.description)
    async def call(**given: Any) -> str:
        return await offered.call(given[VALUES])

    values = KernelParameterMetadata(
        name=VALUES,
        description="the arguments",
        type="object",
        default_value=None,
        is_required=True,
        schema_data=dict(offered.parameters),
    )
    return KernelFunctionFromMethod(method=call, plugin_name=offered.plugin, parameters=[values])


def _offered(kernel: Kernel, plugin: str, function: KernelFunction) -> OfferedFunction:
    async def call(arguments: Mapping[str, Any]) -> str:
        result = await kernel.invoke(function, KernelArguments(**arguments))
        return str(result.value if result is not None else "")

    shown = [each for each in function.parameters if each.name and each.include_in_function_choices]
    return OfferedFunction(
        plugin=plugin,
        name=function.name,
        description=function.description or function.name,
        parameters={
            "type": "object",
            "properties": {str(each.name): dict(each.schema_data or {}) for each in shown},
            "required": [str(each.name) for each in shown if each.is_required],
            "additionalProperties": False,
        },
        call=call,
        seconds=_OWN_SECONDS,
        characters=_OWN_CHARACTERS,
        is_own=True,
    )
