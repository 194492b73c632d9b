"""What a language model writes of a conversation: a question that stands alone, a summary. Both are checked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import aclosing

from semantic_kernel import Kernel
from semantic_kernel.functions.kernel_arguments import KernelArguments

from ingest.sentences import split_sentences
from kernel.answering.run import Variant
from kernel.answering.support import SUPPORTED, support
from kernel.chat.chat_settings import GenerationSettings
from kernel.chat.prompt_text import shield
from kernel.chat.streaming import stream_prompt
from plugins.prompt_functions import plugin_name
from retrieval.analysis import analyze, content_tokens, detect_language
from retrieval.question_parts import asks

_MOST_TOKENS = 80
_LONGEST_ADDED = 300
_LABEL = re.compile(
    r"^[\s*#_\"“「]*(?:(?:standalone |rewritten )?(?:question|answer)|(?:書き直した)?質問)\s*[*_]*\s*[:：]\s*",
    re.IGNORECASE,
)


async def write(
    kernel: Kernel, variant: Variant, function: str, language: str, most_tokens: int, **texts: str
) -> str:
    """Return what a variant writes by a prompt function."""
    arguments = KernelArguments(
        settings=GenerationSettings(service_id=variant.name, max_new_tokens=most_tokens),
        **{name: shield(text) for name, text in texts.items()},
    )
    pieces: list[str] = []
    chosen = kernel.get_function(plugin_name(language), function)
    async with aclosing(stream_prompt(kernel, chosen, arguments)) as stream:
        async for message in stream:
            pieces.append(str(message.content or ""))
    return "".join(pieces)


def checked_question(written: str, question: str, conversation: Sequence[str]) -> str | None:
    """Return the question that a model made to stand alone; None unless it is one.

    It is one line in the question's language that asks, holds every word and figure of the question that carries
    meaning, and beside them only words of the conversation, at least one.
    """
    line = next((line.strip() for line in written.splitlines() if line.strip()), "")
    while label := _LABEL.match(line):
        line = line[label.end() :]
    line = line.strip().strip('"“”「」').strip()
    if not line or len(line) > len(question) + _LONGEST_ADDED:
        return None
    if detect_language(line) != detect_language(question) or (asks(question) and not asks(line)):
        return None
    own, made = set(content_tokens(question)), set(content_tokens(line))
    said = {token for text in conversation for token in content_tokens(text)}
    if not own <= made or not made - own or not made - own <= said:
        return None
    return line


def checked_summary(written: str, conversation: str, language: str) -> str | None:
    """Return the sentences of a summary that the conversation supports; None for none."""
    held = {token.text for token in analyze(conversation)}
    kept = []
    for start, end in split_sentences(written):
        sentence = written[start:end].strip()
        if detect_language(sentence) == language and support(analyze(sentence), held, {}) >= SUPPORTED:
            kept.append(sentence)
    return " ".join(dict.fromkeys(kept)) or None
