"""What the page talks to: one facade and its event loop, alive for as long as the page is served."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

from kernel import app
from kernel.answer import Answer, AskEvent
from kernel.conversation.history import MOST_TURNS
from kernel.documents.results import Comparison, Summary
from kernel.settings import Settings
from plugins.memory.records import Memory
from retrieval.access import Caller
from retrieval.errors import IndexMissingError
from retrieval.records import DocumentSummary
from ui.bridge import Bridge


@dataclass
class Turn:
    """A question of the conversation and what became of it: an answer, an error, or a draft cut short."""

    question: str
    draft: str = ""
    answer: Answer | None = None
    error: str = ""
    said: str = ""
    """What became of what the person said of the answer."""
    blind: bool = False
    """Whether two variants are compared, so that it is not shown which one answered."""


class Engine:
    """A facade for synchronous callers. Made once per index; the models begin to load at once."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._bridge = Bridge()
        self._tekio = app.Tekio(settings)
        if self.documents() is not None:
            # Its failure is not lost: the first question meets it again and shows it.
            self._bridge.start(self._tekio.warm_up())

    def ask(
        self,
        question: str,
        *,
        variant: str | None,
        technique: str,
        top_k: int,
        where: Sequence[str],
        caller: Caller | None,
        samples: int | None = None,
        before: Sequence[Turn] = (),
    ) -> Generator[AskEvent, None, None]:
        """Answer as a stream; closing it stops the generation. `before` are the turns of the conversation."""
        history = [
            (turn.question, turn.answer.answer, turn.answer.asked)
            for turn in before[-MOST_TURNS:]
            if turn.answer is not None and turn.answer.variant != "memory"
        ]
        return self._bridge.iterate(
            lambda: self._tekio.ask_stream(
                question,
                variant=variant,
                technique=technique,
                top_k=top_k,
                where=where,
                history=history,
                caller=caller,
                samples=samples,
            )
        )

    def documents(self, caller: Caller | None = None) -> list[DocumentSummary] | None:
        """List the documents, or return None when there is no index yet."""
        try:
            return self._tekio.documents(caller=caller)
        except IndexMissingError:
            return None

    def memories(self, caller: Caller | None) -> list[Memory]:
        """List what is remembered for the caller."""
        return self._tekio.memory.listed(caller)

    def remember(self, text: str, caller: Caller | None) -> None:
        """Remember a fact for the caller."""
        self._tekio.memory.add(text, caller=caller)

    def keep(self, answer: Answer, caller: Caller | None) -> None:
        """Remember a question with its answer for the caller."""
        self._tekio.memory.remember(answer, caller=caller)

    def rate(self, answer: Answer, rating: str, caller: Caller | None) -> None:
        """Keep what the caller says of an answer."""
        self._tekio.memory.rate(answer, rating, caller=caller)

    def forget(self, memory_id: str, caller: Caller | None) -> None:
        """Delete something remembered for the caller."""
        self._tekio.memory.delete([memory_id], caller=caller)

    def default_variant(self) -> str:
        """Return who answers where nobody is chosen."""
        return self._tekio.default_variant()

    def variants(self) -> list[str]:
        """Name who can answer."""
        return self._tekio.variants()

    def summarize(self, document: str, *, variant: str | None, caller: Caller | None) -> Summary:
        """Summarise a document."""
        return self._bridge.call(self._tekio.summarize(document, variant=variant, caller=caller))

    def compare(self, first: str, second: str, *, variant: str | None, caller: Caller | None) -> Comparison:
        """Compare two documents."""
        return self._bridge.call(self._tekio.compare(first, second, variant=variant, caller=caller))

    def techniques(self) -> list[str]:
        """Name how prompts can be built."""
        return self._tekio.techniques()

    def close(self) -> None:
        """Stop what runs and let go of the index."""
        self._bridge.close()
        self._tekio.close()
