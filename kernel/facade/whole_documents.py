"""Documents as wholes: summarised, compared, and facts read out of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kernel.asking import check_language
from kernel.facade.base import FacadeBase
from retrieval.access import Caller
from retrieval.errors import UsageError
from retrieval.queries import check_query

if TYPE_CHECKING:
    from kernel.documents.results import Comparison, Extraction, Summary
    from kernel.documents.tasks import DocumentTasks


class WholeDocuments(FacadeBase):
    """What is made of whole documents."""

    async def summarize(
        self,
        document: str,
        *,
        sentences: int = 5,
        variant: str | None = None,
        language: str | None = None,
        caller: Caller | None = None,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Summary:
        """Summarise a document, each sentence cited.

        Args:
            document: its name, as `documents` lists it, or the end of it.
            sentences: how many of its own sentences to take where no language model writes, 1 to 30.
            variant: who writes; None takes the setting, and `extractive` for a language that it does not speak.
            language: of the prompt, `en` or `ja`; None takes the document's.
            caller: reads what this caller may read; None is who owns the machine.
            on_progress: is told how many parts of how many are done, for a document that is summarised in parts.

        Raises:
            UsageError: there is no such document, or one of the arguments is wrong.
            IndexMissingError: there is no index yet.
        """
        check_language(language)
        return await (await self._tasks(caller)).summarize(
            document,
            sentences=sentences,
            variant=variant or self.default_variant(),
            chosen=variant is not None,
            language=language,
            on_progress=on_progress,
        )

    async def compare(
        self,
        first: str,
        second: str,
        *,
        about: str | None = None,
        variant: str | None = None,
        language: str | None = None,
        caller: Caller | None = None,
    ) -> Comparison:
        """Compare two documents sentence by sentence: what they say alike, differently, and alone.

        Args:
            first: name of a document, see `summarize`.
            second: name of another.
            about: compares what is nearest to this alone.
            variant: who writes the differences in words; `extractive` writes none.
            language: see `summarize`.
            caller: see `summarize`.
        """
        check_language(language)
        return await (await self._tasks(caller)).compare(
            first,
            second,
            about=None if about is None else check_query(about),
            variant=variant or self.default_variant(),
            chosen=variant is not None,
            language=language,
        )

    async def extract(
        self,
        schema: Any,
        *,
        document: str | None = None,
        question: str | None = None,
        variant: str | None = None,
        language: str | None = None,
        caller: Caller | None = None,
    ) -> Extraction:
        """Read facts out of a document, or out of what is found for a question, as JSON that follows a schema.

        Args:
            schema: a JSON Schema (draft 2020-12) of an object.
            document: name of a document, see `summarize`; this or a question.
            question: is searched for.
            variant: who writes; what it writes is kept where the passages hold it.
            language: see `summarize`.
            caller: see `summarize`.

        Raises:
            UsageError: the schema is not valid, contradicts itself, or one of the arguments is wrong.
        """
        check_language(language)
        if (document is None) == (question is None):
            raise UsageError("name a document or ask a question, one of them")
        from kernel.documents.schema import Schema

        checked, tasks = Schema(schema), await self._tasks(caller)
        from kernel.documents.extracting import extract

        return await extract(
            tasks,
            checked,
            document=document,
            question=None if question is None else check_query(question),
            top_k=self.settings.top_k,
            variant=variant or self.default_variant(),
            chosen=variant is not None,
            language=language,
        )

    async def _tasks(self, caller: Caller | None) -> DocumentTasks:
        engine = await self._started()
        from kernel.documents.tasks import DocumentTasks

        limits = self.settings.max_prompt_tokens, self.settings.max_new_tokens
        return DocumentTasks(engine, self._open_index(), caller, *limits)
