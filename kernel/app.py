"""The one place where everything is put together: settings in, one facade out.

The command line, the API and the page use `Tekio` and nothing behind it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from ingest.pipeline import Progress
from ingest.report import IngestReport
from kernel.answer import Answer, AskEvent
from kernel.settings import Settings
from retrieval.records import DocumentSummary, Passage


class Tekio:
    """A Tekio over one index. Opening it is cheap: models are loaded once, when first needed."""

    def __init__(self, settings: Settings, *, on_message: Callable[[str], None] | None = None) -> None:
        self.settings = settings

    def ingest(self, paths: Sequence[Path], *, on_progress: Callable[[Progress], None] | None = None) -> IngestReport:
        """Bring the index in step with files and folders."""
        raise NotImplementedError

    async def ask(
        self,
        question: str,
        *,
        variant: str | None = None,
        technique: str | None = None,
        top_k: int | None = None,
        language: str | None = None,
    ) -> Answer:
        """Answer a question from the index."""
        raise NotImplementedError

    def ask_stream(
        self,
        question: str,
        *,
        variant: str | None = None,
        technique: str | None = None,
        top_k: int | None = None,
        language: str | None = None,
    ) -> AsyncIterator[AskEvent]:
        """Answer a question as a stream: passages, tokens of the draft, the checked answer.

        Leaving the stream early stops the generation.
        """
        raise NotImplementedError

    async def search(self, query: str, *, top_k: int | None = None) -> list[Passage]:
        """Return the best passages for a query."""
        raise NotImplementedError

    def documents(self) -> list[DocumentSummary]:
        """List the documents in the index."""
        raise NotImplementedError

    def variants(self) -> list[str]:
        """Name who can generate: `base`, `extractive` and the adapters that were found."""
        raise NotImplementedError

    async def warm_up(self) -> None:
        """Load the models now rather than at the first question."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of the index."""
