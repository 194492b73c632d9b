"""A function of Tekio's own or of an attachment, with the step's input as one of its arguments."""

from __future__ import annotations

from kernel.pipelines.values import Made
from kernel.pipelines.work import Work
from retrieval.errors import TekioError, UsageError


async def call(work: Work) -> Made:
    """Call the function that the step names.

    Raises:
        UsageError: there is no such function.
        TekioError: it failed.
    """
    toolbox = work.means.engine.toolbox
    functions = {each.full_name: each for each in toolbox.own()}
    if work.step.function not in functions:
        for state in await toolbox.states():
            functions |= {each.full_name: each for each in state.functions}
    chosen = functions.get(work.step.function)
    if chosen is None:
        raise UsageError(f"there is no function '{work.step.function}': `tekio functions` lists them")
    done = await toolbox.call(chosen, {**work.step.arguments, work.step.argument: work.text})
    if done.result is None:
        raise TekioError(f"the function {done.name} gave nothing: {done.error}")
    work.hear(done.result)
    return Made("text", done.result)
