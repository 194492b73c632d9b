"""Questions: passages found, answers given, and what evaluations look at beside them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Unpack

from kernel.answer import Answer, AnswerEvent, AskEvent, TraceStep
from kernel.answer_key import program_digest, settings_digest
from kernel.answering.answerability import AnswerabilityModel
from kernel.answering.asked import Asked
from kernel.asking import AskOptions, check_top_k, understood
from kernel.facade.base import FacadeBase
from kernel.ingestion import RESERVED_TOKENS
from kernel.selecting import multi_query_of, selection_of
from kernel.suggestions import suggest
from kernel.trace_view import trace_of
from kernel.variant_names import EXTRACTIVE
from retrieval.access import Caller
from retrieval.analysis import detect_language
from retrieval.errors import UsageError
from retrieval.filter_text import parse_filters
from retrieval.index_meta import ANSWERABILITY
from retrieval.queries import check_query
from retrieval.ranking import check_mode
from retrieval.records import Passage
from retrieval.stages import Step

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from kernel.answering.rendering import ShownPrompt
    from kernel.ensembles.settings import MemberSettings


@dataclass(frozen=True, slots=True)
class SampledPassage:
    """A passage of the index, outside any search."""

    id: int
    document: str
    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Vectors:
    """Vectors of texts, of length one, shape (n, dimension), and how many tokens the texts have."""

    vectors: NDArray[np.float32]
    tokens: int


class Questions(FacadeBase):
    """What is asked of an index."""

    async def search(
        self,
        query: str,
        *,
        top_k: int | None = None,
        where: Sequence[str] = (),
        mode: str = "hybrid",
        diversity: float | None = None,
        merge: bool | None = None,
        parent: bool | None = None,
        multi_query: str | None = None,
        caller: Caller | None = None,
        on_trace: Callable[[TraceStep], None] | None = None,
    ) -> list[Passage]:
        """Return the best passages for a query, among those that all filters (`language=ja`) hold for.

        Args:
            query: what is looked for, at most 8,000 characters.
            top_k: how many, 1 to 100; None takes the setting.
            where: filters.
            mode: `hybrid`, or one of its legs alone, `dense` or `keyword`.
            diversity: how much passages unlike each other are preferred, 0 to 1; None takes the setting.
            merge: make one passage of neighbours; None takes the setting.
            parent: show passages with what stands around them in their sections; None takes the setting.
            multi_query: how the parts of the query are found that are searched for as well, `off`, `rules` or
                `model`; None takes the setting.
            caller: finds what this caller may read; None is who owns the machine, and finds everything.
            on_trace: is given the tree of steps with their times.
        """
        query, top_k, narrow = check_query(query), check_top_k(top_k, self.settings), parse_filters(where)
        chosen = check_mode(mode)
        selection = selection_of(self.settings, diversity=diversity, merge=merge, parent=parent)
        way = multi_query_of(self.settings, multi_query)
        engine = await self._started()
        with engine.root("search") as root:
            with root.begin("parts"):
                parts = await engine.parts(query, way)
            with root.begin("retrieve"):
                found = await engine.searching.search(
                    query, top_k, narrow, parts, mode=chosen, caller=caller, selection=selection
                )
            root.note(top_k=top_k, mode=chosen, passages=len(found))
            root.show(question=query)
        if on_trace is not None:
            on_trace(trace_of(root))
        return found

    async def ask(self, question: str, **options: Unpack[AskOptions]) -> Answer:
        """Answer a question from the index; see `ask_stream`."""
        answer: Answer | None = None
        async for event in self.ask_stream(question, **options):
            if isinstance(event, AnswerEvent):
                answer = event.answer
        assert answer is not None
        return answer

    async def ask_stream(
        self, question: str, **options: Unpack[AskOptions]
    ) -> AsyncGenerator[AskEvent, None]:
        """Answer a question as a stream: passages, tokens of the draft, the checked answer.

        Leaving the stream early stops the generation.

        Args:
            question: what is asked, at most 8,000 characters.
            **options: what is said with it, see `AskOptions`.

        Raises:
            UsageError: one of the arguments is wrong.
            IndexMissingError: there is no index yet.
        """
        usual = await asyncio.to_thread(self.default_variant)
        asked = understood(question, options, self.settings, usual=usual)
        engine = await self._started()
        variant = await asyncio.to_thread(engine.variants.get, asked.variant)
        engine.variants.check_room(variant)
        async with aclosing(engine.answered(asked, variant)) as events:
            async for event in events:
                yield event

    async def ask_member(
        self, question: str, member: MemberSettings, *, where: Sequence[str] = (), seconds: float
    ) -> tuple[Answer | None, str]:
        """Answer a question as a member of an ensemble does, never from what is stored.

        Args:
            question: what is asked.
            member: who answers, and how.
            where: filters of the search.
            seconds: longest time.

        Returns:
            The answer, or None and why there is none.
        """
        from kernel.ensembles.asking import Heard, hear

        options: AskOptions = {"variant": member.variant, "where": where, "cache": False, "memory": False}
        asked = understood(question, options, self.settings, usual=member.variant)
        engine = await self._started()

        async def ask(put: Asked, within: Step) -> AsyncGenerator[AskEvent, None]:
            variant = await asyncio.to_thread(engine.variants.get, put.variant)
            async with aclosing(engine.answered(put, variant)) as events:
                async for event in events:
                    yield event

        heard = None
        async with aclosing(hear(0, member, asked, ask, Step("member"), seconds)) as events:
            async for event in events:
                heard = event
        assert isinstance(heard, Heard)
        return heard.answer, heard.why

    async def recorded_with(self, variants: Sequence[str]) -> dict[str, Any]:
        """Return what answers of variants depend on beside the question, as JSON values.

        Raises:
            UsageError: there is no such variant.
        """
        engine = await self._started()
        with self._any_index() as index:
            state = [index.identity(), str(index.version())]
        return {
            "program": program_digest(),
            "settings": settings_digest(self.settings),
            "index": state,
            "variants": await asyncio.to_thread(engine.variants.revisions, variants),
            "top_k": self.settings.top_k,
            "technique": self.settings.technique.value,
            "max_new_tokens": self.settings.max_new_tokens,
        }

    async def measure(self, question: str, *, without_document: str | None = None) -> dict[str, float]:
        """Return the features from which it is estimated whether the documents answer a question.

        Args:
            question: what is asked.
            without_document: a document to keep from the search, for calibration.
        """
        measuring = (await self._started()).measuring
        return await measuring.measure(question, self.settings.top_k, without_document)

    async def policy_features(self, question: str, *, where: Sequence[str] = ()) -> tuple[float, ...]:
        """Return what a policy knows of a question, see `kernel.policies.features`.

        Args:
            question: what is asked.
            where: filters.
        """
        from kernel.policies.features import features_of

        asked = understood(question, {"where": where}, self.settings, usual=EXTRACTIVE)
        measured = await (await self._started()).measuring.measured(asked)
        return features_of(asked.question, detect_language(asked.question), measured)

    def embed(self, texts: Sequence[str], *, queries: bool = False) -> Vectors:
        """Embed texts by the index's embedder. Blocks.

        Args:
            texts: each at least a character, and within what the embedder takes.
            queries: whether they are searched for, rather than searched in.

        Raises:
            UsageError: a text is empty or too long.
        """
        embedder = self._find_embedder()
        counts = embedder.count_tokens(texts)
        for place, (text, count) in enumerate(zip(texts, counts, strict=True)):
            if not text.strip():
                raise UsageError(f"text {place} is empty")
            if count > embedder.max_tokens - RESERVED_TOKENS:
                most = embedder.max_tokens - RESERVED_TOKENS
                raise UsageError(f"text {place} has {count:,} tokens, {most:,} are the most: cut it")
        vectors = embedder.embed_queries(texts) if queries else embedder.embed_passages(texts)
        return Vectors(vectors, sum(counts))

    async def prompt(
        self,
        question: str,
        passages: Sequence[Passage],
        *,
        language: str,
        technique: str = "zero_shot",
        sentences: int = 0,
    ) -> ShownPrompt:
        """Return what a model would be sent for a question over these passages, in the order of their numbers.

        Args:
            question: what is asked.
            passages: of this index.
            language: of the answer, `en` or `ja`.
            technique: how the prompt is built.
            sentences: how many of the best sentences are shown; 0 shows whole passages.
        """
        engine = await self._started()
        return await engine.prompt(
            question, passages, language=language, technique=technique, sentences=sentences
        )

    def sample_passages(self, count: int) -> list[SampledPassage]:
        """Return passages that are spread evenly over the index."""
        index = self._open_index()
        with index.database.read():
            rows = index.store.rows(index.store.sample(None, count), vectors=False)
        return [
            SampledPassage(row_id, hit.data["document"], str(hit.data["language"]), hit.data["text"])
            for row_id, hit in rows.items()
        ]

    def suggestions(self, language: str, *, caller: Caller | None = None) -> list[str]:
        """Return questions that the documents can answer, see `kernel.suggestions`. Needs no model."""
        with self._any_index() as index:
            return suggest(index, index.documents(caller=caller), language)

    def keep_answerability(self, model: AnswerabilityModel | None) -> None:
        """Keep an estimate of answerability with the index, for when it is opened next; None forgets it."""
        self._open_index().keep_note(ANSWERABILITY, None if model is None else asdict(model))

    async def watch_functions(self, note: Callable[[str], None]) -> None:
        """Tell `note` the name of every function of the kernel that is called from now on, before it is."""
        (await self._started()).watch_functions(note)
