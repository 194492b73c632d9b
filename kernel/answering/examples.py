"""The examples of a prompt: chosen for the question, or made of an answer that somebody approved."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kernel.answer import Answer, FinishReason
from kernel.answering.run import PromptCounter
from plugins.example_check import MARKERS, markers_of
from plugins.example_choice import Candidates, candidates_of, choose_examples, same_question
from plugins.example_store import SHIPPED, ExampleStore, StoredExample
from plugins.prompt_functions import Example, render_examples
from retrieval.access import Caller
from retrieval.embedding import Embedder
from retrieval.errors import UsageError


@dataclass(frozen=True, slots=True)
class Examples:
    """The examples of a store, chosen by the index's embedder."""

    store: ExampleStore
    embedder: Embedder

    async def text(
        self,
        question: str,
        *,
        technique: str,
        language: str,
        wanted: int,
        counter: PromptCounter,
        budget: int,
        caller: Caller | None,
    ) -> str:
        """Return the examples for a question as the prompt shows them; empty where none fits.

        Args:
            question: what is asked; examples that ask the same are left out.
            technique: how they are written.
            language: of the examples.
            wanted: how many, at most.
            counter: of the model's own tokens.
            budget: tokens that they may have in all.
            caller: sees their own examples and those of nobody; None is who owns the machine.
        """
        candidates = await asyncio.to_thread(self._candidates, question, language, caller)

        def render(examples: Sequence[Example]) -> str:
            return render_examples(technique, language, examples)

        empty = await asyncio.to_thread(counter.count, _message(""))

        async def count(text: str) -> int:
            return await asyncio.to_thread(counter.count, _message(text)) - empty

        return render(await choose_examples(candidates, wanted, render, count, budget))

    def _candidates(self, question: str, language: str, caller: Caller | None) -> Candidates:
        stored = [
            item
            for item in shown_to(self.store, caller, language=language)
            if not same_question(question, item.example.question)
        ]
        vectors = self.store.vectors(stored, self.embedder)
        if not stored:
            return Candidates((), np.zeros(0, np.float32), np.zeros((0, 0), np.float32))
        return candidates_of(stored, vectors, self.embedder.embed_queries([question])[0])


def shown_to(
    store: ExampleStore, caller: Caller | None, *, language: str | None = None
) -> list[StoredExample]:
    """Return the examples that somebody sees: who owns the machine all, others those of everyone and their own.

    A key that is bound to a part of the documents sees those that ship, since others hold text of any document.
    """
    user = None if caller is None else caller.user
    found = store.examples(language=language, user=user)
    bound = caller is not None and caller.bound is not None
    return [item for item in found if item.origin == SHIPPED] if bound else found


def _message(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def example_of(answer: Answer) -> Example:
    """Return an answer as an example: what it quotes are the passages, numbered anew.

    Raises:
        UsageError: it is a refusal, has sentences that nothing supports, or was cut.
    """
    if answer.refused:
        raise UsageError("the answer is a refusal: an example needs an answer that cites its passages")
    if answer.unsupported:
        raise UsageError(
            f"no passage supports a sentence of the answer (“{answer.unsupported[0][:80]}”): "
            "an example needs one that is supported throughout"
        )
    if answer.finish_reason is not FinishReason.STOP:
        raise UsageError(f"the answer did not end by itself ({answer.finish_reason.value}): ask again")
    quotes: dict[int, list[str]] = {}
    for citation in answer.citations:
        held = quotes.setdefault(citation.marker, [])
        if citation.quote not in held:
            held.append(citation.quote)
    numbers = {marker: number for number, marker in enumerate(sorted(quotes), start=1)}
    lacking = sorted(markers_of(answer.answer) - set(numbers))
    if lacking or not quotes:
        raise UsageError(
            f"the answer cites [{lacking[0]}] without a quote" if lacking else "the answer cites no passage"
        )
    steps = answer.reasoning or ""
    if markers_of(steps) - set(numbers):
        steps = ""  # they speak of passages that the example does not show

    def renumbered(match: re.Match[str]) -> str:
        return f"[{numbers[int(match[1])]}]"

    return Example(
        passages=tuple(" ".join(quotes[marker]) for marker in sorted(quotes)),
        question=answer.question,
        reasoning=MARKERS.sub(renumbered, steps),
        answer=MARKERS.sub(renumbered, answer.answer),
    )


def corrected(answer: Answer, text: str) -> Answer:
    """Return an answer with the text that a person wrote in its place; what was found of the old text goes.

    Args:
        answer: is wrong.
        text: cites by the markers of the wrong answer.
    """
    gone: dict[str, Any] = {
        "unsupported": [],
        "claims": [],
        "reasoning": None,
        "short_answer": None,
        "refused": False,
    }
    kept = {
        "answer": text,
        "question": answer.asked or answer.question,
        "citations": [each for each in answer.citations if each.marker in markers_of(text)],
        "finish_reason": FinishReason.STOP,
    }
    return answer.model_copy(update=gone | kept)
