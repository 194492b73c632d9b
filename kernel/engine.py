"""The Semantic Kernel of a Tekio: services, plugins and the answering flow, wired together."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from semantic_kernel import Kernel
from semantic_kernel.filters.filter_types import FilterTypes

from kernel.answer import BASE, EXTRACTIVE
from kernel.answering.answerability import load_model, measure
from kernel.answering.flow import AnswerFlow, Limits
from kernel.answering.parts import MultiQuery
from kernel.answering.ranking import SentenceRanker
from kernel.answering.run import Variant
from kernel.chat.adapters import check_adapter, find_adapter, variant_names
from kernel.chat.extractive_chat import ExtractiveChatCompletion
from kernel.chat.language_model import LanguageModel
from kernel.chat.selector import StrictServiceSelector
from kernel.chat.transformers_chat import TransformersChatCompletion
from kernel.embedders import find_reranker
from kernel.embedding_service import EmbeddingService
from kernel.model_store import ModelStore
from kernel.selecting import selection_of
from kernel.settings import Settings
from plugins.memory_plugin import PLUGIN_NAME as MEMORY
from plugins.memory_plugin import MemoryPlugin, memory_record_type
from plugins.prompt_functions import load_prompt_plugins
from plugins.retrieval_plugin import PLUGIN_NAME as RETRIEVAL
from plugins.retrieval_plugin import RetrievalPlugin
from retrieval.access import Caller
from retrieval.errors import UsageError
from retrieval.faiss_collection import FaissCollection
from retrieval.filters import Filter, Where
from retrieval.passages import PassageIndex
from retrieval.ranking import Mode, Query
from retrieval.records import Passage
from retrieval.selection import Selection
from retrieval.sentence_transformer import SentenceTransformerEmbedder


@dataclass(frozen=True, slots=True)
class _Counter:
    model: LanguageModel

    def count(self, messages: Sequence[dict[str, str]]) -> int:
        return len(self.model.tokenizer.encode_chat(messages))


class Engine:
    """One kernel with its services. Variants are registered when they are first asked for."""

    def __init__(
        self,
        settings: Settings,
        models: ModelStore,
        index: PassageIndex,
        embedder: SentenceTransformerEmbedder,
    ) -> None:
        self._settings = settings
        self._models = models
        self._index = index
        self._embedder = embedder
        self._reranker = find_reranker(settings, models)
        self._lock = threading.Lock()
        self._language_model: LanguageModel | None = None
        self._variants: dict[str, Variant] = {}
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="language-model")
        self._embedding = EmbeddingService(embedder)
        self.kernel = Kernel(
            plugins=load_prompt_plugins(),
            services=[self._embedding, ExtractiveChatCompletion()],
            ai_service_selector=StrictServiceSelector(),
        )
        self.kernel.add_plugin(RetrievalPlugin(self.search), RETRIEVAL)
        self.kernel.add_plugin(MemoryPlugin(self._memory()), MEMORY)
        self._ranker = SentenceRanker(embedder, index.inverse_frequencies)
        extractive = Variant(EXTRACTIVE)
        self._variants[EXTRACTIVE] = extractive
        model = load_model()
        threshold = model.threshold if settings.min_confidence is None else settings.min_confidence
        self._flow = AnswerFlow(
            kernel=self.kernel,
            ranker=self._ranker,
            inverse_frequencies=index.inverse_frequencies,
            answerability=model,
            limits=Limits(
                settings.max_new_tokens, settings.max_prompt_tokens, settings.focus_sentences, threshold
            ),
            extractive=extractive,
        )

    def flow(self, caller: Caller | None) -> AnswerFlow:
        """Return what answers for a caller, over a kernel whose retrieval function searches for this caller alone.

        Who asks is no argument of that function, so nothing that a model writes into a call can widen it.
        """
        if caller is None:
            return self._flow
        kernel = self.kernel.model_copy(update={"plugins": dict(self.kernel.plugins)})

        async def search(query: str, top: int, where: Filter | None, parts: Sequence[str]) -> list[Passage]:
            return await self.search(query, top, where, parts, caller=caller)

        kernel.add_plugin(RetrievalPlugin(search), RETRIEVAL)
        return self._flow.over(kernel)

    async def search(
        self,
        query: str,
        top: int,
        where: Filter | None = None,
        parts: Sequence[str] = (),
        *,
        mode: Mode = "hybrid",
        caller: Caller | None = None,
        selection: Selection | None = None,
    ) -> list[Passage]:
        """Return the best passages for a query, and for its parts beside it.

        How they are chosen from the ranking, the settings say unless given.
        """
        chosen = selection or selection_of(self._settings)

        def run() -> list[Passage]:
            # A query without parts goes with those of other threads; one with parts is a batch of its own.
            embedded = (
                self._embedder.embed_each([query, *parts]) if parts else [self._embedder.embed_query(query)]
            )
            (vector, tokens), *others = embedded
            return self._index.search(
                query,
                vector,
                top_k=top,
                where=where,
                mode=mode,
                tokens=tokens,
                caller=caller,
                selection=chosen,
                rerank=self._reranker,
                parts=[Query(text, *made) for text, made in zip(parts, others, strict=True)],
            )

        return await asyncio.to_thread(run)

    async def parts(self, query: str, way: MultiQuery) -> tuple[str, ...]:
        """Return the parts of a query; a model that splits it is the variant of the settings."""
        variant = Variant(EXTRACTIVE)
        if way == "model":
            variant = await asyncio.to_thread(self.variant, self._settings.variant)
        return await self._flow.parts(query, variant, way)

    async def measure(self, question: str, top: int, without_document: str | None) -> dict[str, float]:
        """Return the features of answerability of a question."""
        where = None if without_document is None else Where("document", "!=", without_document)
        passages = await self.search(question, top, where)
        return measure(passages, await asyncio.to_thread(self._ranker.rank, question, passages))

    def variant(self, name: str) -> Variant:
        """Return a variant, loading its adapter first if it is one. Blocks.

        Raises:
            UsageError: there is no such variant, or its adapter does not fit the base.
        """
        with self._lock:
            if name not in self._variants:
                self._variants[name] = self._register(name)
            return self._variants[name]

    def _register(self, name: str) -> Variant:
        adapter, languages = None, frozenset(self._settings.generator_languages)
        if name != BASE:
            folder = find_adapter(name, self._settings.adapters)
            if folder is None:
                known = ", ".join(variant_names(self._settings.adapters))
                raise UsageError(
                    f"there is no variant '{name}'; there are {known}, or give an adapter's folder"
                )
            model = self._model()
            card = check_adapter(folder, base=model.name, base_folder=model.folder)
            # In the model's own thread, so that no generation is under way while layers change.
            adapter = self._executor.submit(model.load_adapter, folder).result()
            languages = frozenset(card.languages) or languages
        model = self._model()
        self.kernel.add_service(
            TransformersChatCompletion(service_id=name, model=model, executor=self._executor, adapter=adapter)
        )
        return Variant(name, languages, model.name, _Counter(model))

    def _model(self) -> LanguageModel:
        if self._language_model is None:
            found = self._models.resolve(self._settings.generator)
            self._language_model = LanguageModel(
                found.name, found.folder, dtype=self._settings.dtype, threads=self._settings.threads
            )
        return self._language_model

    def _memory(self) -> FaissCollection[str, object]:
        signature = self._embedder.signature
        return FaissCollection(  # type: ignore[call-arg]
            record_type=memory_record_type(signature.dimension),
            folder=self._settings.memory_place,
            embedding_generator=self._embedding,
            signature=signature,
        )

    def watch_functions(self, note: Callable[[str], None]) -> None:
        """Tell `note` the full name of every function that is called from now on."""

        # Semantic Kernel passes the rest of the chain by this name.
        async def watch(context: Any, next: Callable[[Any], Awaitable[None]]) -> None:  # noqa: A002
            note(context.function.fully_qualified_name)
            await next(context)

        self.kernel.add_filter(FilterTypes.FUNCTION_INVOCATION, watch)

    def load(self) -> None:
        """Load the embedder and the base model. Blocks."""
        self._embedder.warm_up()
        self.variant(BASE)
        self._executor.submit(self._model().load).result()

    def close(self) -> None:
        """End the language model's thread."""
        self._executor.shutdown(wait=False, cancel_futures=True)
