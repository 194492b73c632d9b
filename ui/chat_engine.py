"""What the page talks to: one facade and its event loop, alive for as long as the page is served."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

from kernel import app
from kernel.answer import Answer, AskEvent
from kernel.documents.results import Comparison, Summary
from kernel.settings import Settings
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
    ) -> Generator[AskEvent, None, None]:
        """Answer as a stream; closing it stops the generation."""
        return self._bridge.iterate(
            lambda: self._tekio.ask_stream(
                question,
                variant=variant,
                technique=technique,
                top_k=top_k,
                where=where,
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
