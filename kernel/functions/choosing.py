"""The part of an answer in which a model calls functions.

First from the question alone, where it may call any function. Then, with passages and results before it, only those
of Tekio's own, which compute and do nothing else. So no text of a document or of a server can make a call go out of
this program, or travel with one.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import date
from typing import Any

from semantic_kernel import Kernel
from semantic_kernel.functions.kernel_arguments import KernelArguments

from kernel.answer import FunctionCall
from kernel.answering.fences import fence_of
from kernel.answering.run import Run
from kernel.chat.chat_settings import GenerationSettings
from kernel.chat.prompt_text import shield
from kernel.chat.streaming import stream_prompt
from kernel.functions.call_grammar import call_grammar, can_be_written, read_call, render_functions
from kernel.functions.calling import Toolbox
from kernel.functions.grounding import figures, is_grounded
from kernel.functions.wording import render_results, tell, texts_of
from plugins.date_plugin import this_day
from plugins.external.offered import OfferedFunction
from plugins.prompt_functions import CHOOSE_FUNCTION, plugin_name

MAX_CALLS = 3
_MOST_TOKENS = 160
_LONGEST_PASSAGES = 3000
_LONGEST_QUESTION = 2000

Choose = Callable[[Sequence[OfferedFunction], str], Awaitable[str]]


class FunctionCaller:
    """Lets a variant call functions for a question. Holds no state between questions but the connections."""

    def __init__(
        self, toolbox: Toolbox, *, most_calls: int = MAX_CALLS, today: Callable[[], date] = this_day
    ) -> None:
        self._toolbox = toolbox
        self._most_calls = most_calls
        self._today = today
        self._writable: dict[str, bool] = {}

    async def call(self, kernel: Kernel, run: Run, passages: str) -> None:
        """Let the variant of an answer call what it needs; note in the answer what was called.

        Args:
            kernel: has the prompt functions and the variant.
            run: the answer in the making; its `functions`, `computed` and `notices` grow.
            passages: the passages as the prompt shows them; empty where they are of no use.
        """
        if len(run.question) > _LONGEST_QUESTION:
            return
        outside = await self._outside(run)
        own = await self._written(self._toolbox.own())

        async def choose(functions: Sequence[OfferedFunction], shown: str) -> str:
            return await write_call(kernel, run.variant.name, run.language, run.question, functions, shown)

        if outside:
            await self._calls(run, [*own, *outside], choose, passages="")
        if own and passages:
            await self._calls(run, own, choose, passages=passages[:_LONGEST_PASSAGES])
        elif own and not outside:
            await self._calls(run, own, choose, passages="")

    async def _outside(self, run: Run) -> list[OfferedFunction]:
        functions: list[OfferedFunction] = []
        for state in await self._toolbox.states():
            if state.error:
                run.notices.append(
                    tell("not_there", run.language, name=state.attachment.name, reason=state.error)
                )
            functions += state.functions
        return await self._written(functions)

    async def _written(self, functions: Sequence[OfferedFunction]) -> list[OfferedFunction]:
        for each in functions:
            if each.full_name not in self._writable:
                self._writable[each.full_name] = await asyncio.to_thread(can_be_written, each)
        return [each for each in functions if self._writable[each.full_name]]

    async def _calls(
        self, run: Run, functions: Sequence[OfferedFunction], choose: Choose, *, passages: str
    ) -> None:
        while len(run.functions) < self._most_calls:
            results = _results(run) if passages else _called(run.functions)
            shown = "\n\n".join(part for part in (passages, results) if part)
            chosen = read_call(await choose(functions, shown), functions)
            if chosen is None or any(_same(each, *chosen) for each in run.functions):
                return
            function, arguments = chosen
            rests_on = [run.question]
            if function.is_own and passages:
                rests_on += [passages, *(each.result or "" for each in run.functions)]
            grounded = is_grounded(
                arguments, function.parameters, rests_on, self._today, is_own=function.is_own
            )
            if not grounded and not function.is_own:
                call = FunctionCall(
                    name=function.full_name,
                    arguments=arguments,
                    error=tell("made_up", run.language),
                    ms=0.0,
                )
            else:
                call = await self._toolbox.call(function, arguments)
            run.functions.append(call)
            if call.error:
                run.notices.append(tell("failed", run.language, name=call.name, reason=call.error))
                return
            if grounded:
                run.computed.append(call)


async def write_call(
    kernel: Kernel,
    variant: str,
    language: str,
    question: str,
    functions: Sequence[OfferedFunction],
    shown: str,
) -> str:
    """Return what a variant writes: one line of JSON, held within the grammar of a call.

    Args:
        kernel: has the prompt functions and the variant.
        variant: its name.
        language: of the prompt.
        question: what is asked.
        functions: those that can be called.
        shown: passages and results as the prompt shows them; empty for none.
    """
    function = kernel.get_function(plugin_name(language), CHOOSE_FUNCTION)
    grammar = await asyncio.to_thread(call_grammar, functions)
    settings = GenerationSettings(service_id=variant, max_new_tokens=_MOST_TOKENS, grammar=grammar)
    arguments = KernelArguments(
        settings=settings,
        functions=shield(render_functions(functions)),
        passages=shield(shown or tell("no_passages", language)),
        question=shield(question),
    )
    pieces: list[str] = []
    async with aclosing(stream_prompt(kernel, function, arguments)) as stream:
        async for message in stream:
            pieces.append(str(message.content or ""))
    return "".join(pieces)


def answers_by_itself(call: FunctionCall, question: str) -> bool:
    """Say whether a result answers a question that the documents do not: it adds something to what was asked.

    A function without arguments does so only where the question names it, as in "what is the date today".
    """
    if call.result is None:
        return False
    if not any(value not in ("", None) for value in call.arguments.values()):
        words = call.name.partition("-")[2].lower().split("_")
        return any(word in question.lower() for word in words)
    found = figures(call.result)
    return not found or not found <= figures(question)


def _same(call: FunctionCall, function: OfferedFunction, arguments: dict[str, Any]) -> bool:
    return call.name == function.full_name and call.arguments == arguments


def _results(run: Run) -> str:
    """Return what came back, within a fence of its own: the passages stand within theirs."""
    fence = fence_of(run.question, run.passages, texts_of(run.functions))
    return render_results(run.functions, run.language, fence=fence)


def _called(calls: Sequence[FunctionCall]) -> str:
    """Return what was called, without what came back: that is another program's text."""
    return "\n".join(
        f"[{each.name} {json.dumps(each.arguments, ensure_ascii=False)}: done]" for each in calls
    )
