"""The prompt function of a technique in a language, or one clear line why there is none."""

from __future__ import annotations

from typing import Any

from semantic_kernel import Kernel
from semantic_kernel.exceptions import KernelException

from kernel.answering.run import Run
from plugins.own_prompts import ANSWERING
from plugins.prompt_functions import TECHNIQUES, plugin_name, shown_by
from retrieval.errors import UsageError


def answering_function(kernel: Kernel, language: str, technique: str) -> Any:
    """Return the prompt function that answers a question by a technique.

    Raises:
        UsageError: a prompt of the reader's own is broken, is not for this language, or answers no question.
    """
    try:
        function = kernel.get_function(plugin_name(language), technique)
    except KernelException as error:
        raise UsageError(
            f"the prompt function '{technique}' cannot be used for an answer in '{language}': "
            "`tekio prompts` says why"
        ) from error
    if technique not in TECHNIQUES and not ANSWERING.issubset(shown_by(function)):
        raise UsageError(
            f"the prompt function '{technique}' answers no question: it does not show {' and '.join(sorted(ANSWERING))}"
        )
    return function


def function_of(kernel: Kernel, run: Run) -> Any:
    """Return the prompt function of an answer in the making."""
    return answering_function(kernel, run.language, run.prompt or run.technique.value)


def shows_examples(function: Any) -> bool:
    """Say whether a prompt function shows worked examples."""
    return "examples" in shown_by(function)
