"""A prompt function of the reader's own folders, over what the steps before gave."""

from __future__ import annotations

import asyncio
from typing import Any

from semantic_kernel.exceptions import KernelException

from kernel.answering.leaks import without_prompt
from kernel.answering.links import LinkGuard
from kernel.pipelines.steps.reading import examined
from kernel.pipelines.values import Made
from kernel.pipelines.work import Work, fenced, prompt_language, unfenced
from plugins.prompt_functions import PromptPassage, instructions_of, plugin_name, render_passages, shown_by
from retrieval.analysis import detect_language
from retrieval.errors import TekioError, UsageError


async def prompt(work: Work) -> Made:
    """Write by a prompt function: `text` is the input, `document` and `passages` are it as numbered passages,
    `question` is what the pipeline was given.

    Raises:
        UsageError: the prompt function cannot be used, or the input does not fit its prompt.
        TekioError: nothing was written.
    """
    language = detect_language(work.text)
    work.check_language(language)
    spoken = prompt_language(language)
    function = _function(work, spoken)
    material = await examined(work)
    read = "\n".join(passage.text for passage in material.passages)
    quoted, fence = fenced(read)
    items = [PromptPassage(place, item, item.text) for place, item in enumerate(material.passages, start=1)]
    rendered = render_passages(items, spoken, fence=fence)
    values = {
        "text": quoted,
        "document": rendered,
        "passages": rendered,
        "question": work.question,
        "examples": "",
    }
    shown = {name: values[name] for name in shown_by(function)}
    most = work.means.max_new_tokens
    instructions = instructions_of(function)
    tokens = await asyncio.to_thread(work.count, "\n".join([instructions, *shown.values()]))
    if tokens > work.room(most):
        raise UsageError(
            f"its prompt has {tokens:,} tokens, and may have {work.room(most):,}: put a step before it that summarises"
        )
    written, told = await work.write(work.step.prompt, spoken, most, **shown)
    work.note_end(told, most)
    kept = without_prompt(unfenced(written, fence), instructions)
    text = LinkGuard([work.text, work.question], work.language).clean(kept).strip()
    if not text:
        raise TekioError("the model wrote nothing: name another variant")
    work.hear(text)
    return Made("text", text)


def _function(work: Work, language: str) -> Any:
    try:
        return work.means.engine.kernel.get_function(plugin_name(language), work.step.prompt)
    except KernelException as error:
        raise UsageError(
            f"the prompt function '{work.step.prompt}' cannot be used for a text in '{language}': `tekio prompts` "
            "says why"
        ) from error
