"""What is understood of a question before it is searched for: the conversation before it, and what is remembered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Literal

from semantic_kernel import Kernel
from semantic_kernel.functions.kernel_arguments import KernelArguments

from kernel.answer import Answer, AnswerConversation, FinishReason, Usage
from kernel.answering.asked import Asked
from kernel.answering.causes import cause_of
from kernel.answering.run import Clock, Variant
from kernel.answering.texts import say
from kernel.conversation.context import Context, fit
from kernel.conversation.heard import Heard
from kernel.conversation.same_question import same_question
from kernel.conversation.standalone import Nearest, Weights, is_follow_up, stand_alone
from kernel.conversation.writing import checked_question, checked_summary, write
from plugins.memory.records import Memory
from plugins.memory.store import Recalled
from plugins.memory_plugin import PLUGIN_NAME as MEMORY
from plugins.prompt_functions import REWRITE_QUESTION, SUMMARIZE_CONVERSATION
from retrieval.access import Caller
from retrieval.analysis import detect_language
from retrieval.errors import TekioError

_MOST_TOKENS = 80
_LONGEST = 1000
"""Characters of a question that a model is asked to rewrite."""


class Listener:
    """Understands questions, over the kernel of whoever asks. Holds no state between questions."""

    def __init__(
        self,
        *,
        weights: Weights,
        nearest: Nearest,
        count: Callable[[Sequence[str]], Sequence[int]],
        fresh: Callable[[Sequence[Recalled], Caller | None], list[Recalled]],
        budget: int,
        top: int,
    ) -> None:
        """Put it together.

        Args:
            weights: gives how rare tokens are in the index.
            nearest: gives the nearest of some phrases.
            count: gives the tokens of texts, for variants without a tokenizer.
            fresh: leaves out what was remembered of documents that have changed since.
            budget: tokens of a conversation that are kept.
            top: how many memories are recalled; 0 recalls none.
        """
        self._weights = weights
        self._nearest = nearest
        self._count = count
        self._fresh = fresh
        self._budget = budget
        self._top = top

    async def hear(self, kernel: Kernel, asked: Asked, variant: Variant, clock: Clock) -> Heard:
        """Return a question as it is understood: standing alone, with what is remembered of it."""
        heard = Heard(asked.question)
        if asked.history and asked.follow_ups != "off":
            with clock("conversation"):
                heard.question, heard.conversation = await self._stand_alone(kernel, asked, variant)
        if asked.memory and self._top:
            with clock("memory"):
                await self._recall(kernel, asked, heard)
        return heard

    # -- the conversation ---------------------------------------------------------------------------------

    async def _stand_alone(
        self, kernel: Kernel, asked: Asked, variant: Variant
    ) -> tuple[str, AnswerConversation]:
        language = detect_language(asked.question)
        model = asked.follow_ups == "model" and variant.counter is not None and variant.speaks(language)
        context = await asyncio.to_thread(
            fit, asked.history, self._counter(variant) if model else self._count, budget=self._budget
        )
        question = asked.question
        way: Literal["none", "rules", "model"] = "none"
        if await asyncio.to_thread(is_follow_up, asked.question, asked.history):
            if model and len(asked.question) <= _LONGEST:
                context = await self._summarized(kernel, variant, context, language)
                written = await self._written(kernel, variant, asked, context, language)
                if written:
                    question, way = written, "model"
            if way == "none":
                question = await asyncio.to_thread(
                    stand_alone, asked.question, asked.history, weights=self._weights, nearest=self._nearest
                )
                way = "rules" if question != asked.question else "none"
        return question, AnswerConversation(
            turns=len(asked.history),
            kept=len(context.turns),
            summarized=len(context.older) - context.left_out,
            left_out=context.left_out,
            tokens=context.tokens,
            summary=context.summary,
            rewritten_by=way,
        )

    async def _written(
        self, kernel: Kernel, variant: Variant, asked: Asked, context: Context, language: str
    ) -> str | None:
        said = context.text(language)
        texts = {"conversation": said, "question": asked.question}
        written = await write(kernel, variant, REWRITE_QUESTION, language, _MOST_TOKENS, **texts)
        return checked_question(written, asked.question, [said])

    async def _summarized(self, kernel: Kernel, variant: Variant, context: Context, language: str) -> Context:
        """Return a context whose older turns the model summarised, where what it wrote is supported by them."""
        if not context.older or not context.summary:
            return context
        written = await write(
            kernel,
            variant,
            SUMMARIZE_CONVERSATION,
            language,
            max(_MOST_TOKENS, int(self._budget * 0.3)),
            conversation=context.summary,
        )
        checked = checked_summary(written, context.summary, language)
        if checked is None:
            return context
        return Context(context.turns, context.older, checked, context.left_out, context.tokens)

    @staticmethod
    def _counter(variant: Variant) -> Callable[[Sequence[str]], Sequence[int]]:
        counter = variant.counter
        assert counter is not None
        empty = counter.count([{"role": "user", "content": ""}])
        return lambda texts: [
            counter.count([{"role": "user", "content": text}]) - empty if text else 0 for text in texts
        ]

    # -- what is remembered -------------------------------------------------------------------------------

    async def _recall(self, kernel: Kernel, asked: Asked, heard: Heard) -> None:
        language = asked.language or detect_language(asked.question)
        try:
            # As it was asked too: what is remembered may fit the words that were added less.
            found = _best(
                [
                    await self._recalled(kernel, question, asked.conversation)
                    for question in dict.fromkeys((heard.question, asked.question))
                ],
                self._top,
            )
            heard.memories = await asyncio.to_thread(self._fresh, found, asked.caller) if found else []
        except TekioError as error:  # what is remembered must not keep a question from being answered
            heard.notices.append(say("memory_failed", language, reason=str(error)))
            return
        if len(heard.memories) < len(found):
            heard.notices.append(say("memory_stale", language))
        offered = [item for item in heard.memories if _is_confirmed_answer(item, heard.question)]
        heard.offered = frozenset(item.memory.id for item in offered[:1])
        heard.notices += [
            say(
                "memory_offered",
                language,
                date=item.memory.confirmed_at[:10],
                question=item.memory.text,
                answer=item.memory.answer,
            )
            for item in offered[:1]
        ]

    async def _recalled(self, kernel: Kernel, question: str, conversation: str) -> list[Recalled]:
        arguments = KernelArguments(query=question, top=self._top, conversation=conversation)
        found: list[Recalled] = await _call(kernel, "recall", arguments)
        return found

    async def remember(self, kernel: Kernel, asked: Asked, fact: str) -> Answer:
        """Remember a fact at once, and return an answer that says so.

        Raises:
            UsageError: it is empty or too long, or nobody is known whose it would be.
        """
        clock = Clock()
        language = asked.language or detect_language(asked.question)
        key = await _call(kernel, "save", KernelArguments(text=fact, source="rule"))
        memory = Memory(id=key, kind="fact", text=fact, created="", source="rule")
        return Answer(
            question=asked.question,
            asked=asked.question,
            answer=say("remembered", language, text=fact),
            refused=False,
            confidence=1.0,
            citations=[],
            unsupported=[],
            variant="memory",
            technique=asked.technique.value,
            language=language,
            memories=Heard("", [Recalled(memory, 1.0, 1.0)]).shown(),
            passages=[],
            usage=Usage(),
            finish_reason=FinishReason.STOP,
            timings_ms=clock.timings(),
        )


def _best(found: Sequence[Sequence[Recalled]], top: int) -> list[Recalled]:
    """Return the best of what several queries recalled, each memory once."""
    best: dict[str, Recalled] = {}
    for item in (item for part in found for item in part):
        held = best.get(item.memory.id)
        if held is None or item.score > held.score:
            best[item.memory.id] = item
    return sorted(best.values(), key=lambda item: (-item.score, item.memory.id))[:top]


def _is_confirmed_answer(item: Recalled, question: str) -> bool:
    memory = item.memory
    return (
        memory.kind == "answer"
        and memory.confirmed > 0
        and same_question(question, memory.text, item.similarity)
    )


async def _call(kernel: Kernel, function: str, arguments: KernelArguments) -> Any:
    try:
        result = await kernel.invoke(plugin_name=MEMORY, function_name=function, arguments=arguments)
    except Exception as error:
        raise cause_of(error) from error
    return None if result is None else result.value
