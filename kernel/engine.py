"""The Semantic Kernel of a Tekio: services, plugins and the answering flow, wired together."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from semantic_kernel import Kernel
from semantic_kernel.filters.filter_types import FilterTypes

from kernel.answer import BASE, EXTRACTIVE, AskEvent, Technique
from kernel.answer_cache import AnswerCache
from kernel.answer_key import folder_digest, program_digest, settings_digest
from kernel.answering.answerability import AnswerabilityModel, load_model, measure
from kernel.answering.asked import Asked
from kernel.answering.claims.meaning import WordMeaning
from kernel.answering.examples import Examples, shown_to
from kernel.answering.flow import AnswerFlow
from kernel.answering.means import Limits, Means
from kernel.answering.parts import MultiQuery
from kernel.answering.passage_tokens import PassageTokens
from kernel.answering.ranking import SentenceRanker
from kernel.answering.rendering import ShownPrompt, show_prompt
from kernel.answering.run import Variant
from kernel.answering.suspicion import examine
from kernel.chat.adapters import check_adapter, find_adapter, variant_names
from kernel.chat.extractive_chat import ExtractiveChatCompletion
from kernel.chat.local_chat import LocalChatCompletion
from kernel.chat.local_engines import TokenCounter
from kernel.chat.other_engines import OtherEngines
from kernel.chat.selector import StrictServiceSelector
from kernel.conversation.listening import Listener
from kernel.conversation.nearest import nearest_by
from kernel.embedders import find_entailment, find_reranker
from kernel.embedding_service import EmbeddingService
from kernel.ensembles.blending import Blending
from kernel.ensembles.fitted import fits_of
from kernel.front import Front
from kernel.functions.ability import may_call
from kernel.functions.calling import Toolbox
from kernel.functions.choosing import FunctionCaller
from kernel.index_view import StateOfIndex
from kernel.language_models import LanguageModels
from kernel.loading import EMBEDDER, Loading
from kernel.memories import Memories
from kernel.metrics import Metrics
from kernel.model_store import ModelStore
from kernel.reading_model import find_reader
from kernel.selecting import selection_of
from kernel.settings import Settings
from kernel.tracing import Tracing
from plugins.example_store import ExampleStore
from plugins.memory.feedback import Feedback
from plugins.memory.records import owner_of
from plugins.memory.rules import fact_to_remember
from plugins.memory_plugin import PLUGIN_NAME as MEMORY
from plugins.memory_plugin import MemoryPlugin
from plugins.own_prompts import add_own_prompts
from plugins.prompt_functions import examples_of, load_prompt_plugins
from plugins.retrieval_plugin import PLUGIN_NAME as RETRIEVAL
from plugins.retrieval_plugin import RetrievalPlugin
from retrieval.access import Caller, reads
from retrieval.analysis import detect_language
from retrieval.errors import TekioError, UsageError
from retrieval.filter_text import parse_filters
from retrieval.filters import Filter, Where
from retrieval.passages import ANSWERABILITY, PassageIndex
from retrieval.ranking import Mode, Query
from retrieval.records import Passage
from retrieval.remembered import Remembered
from retrieval.selection import Selection
from retrieval.sentence_transformer import SentenceTransformerEmbedder
from retrieval.stages import Step, step, under_way

if TYPE_CHECKING:
    from kernel.pipelines.events import PipelineEvent
    from kernel.pipelines.running import Given, Pipeline
    from kernel.pipelines.seq2seq import Translators

Embedded = tuple[NDArray[np.float32], NDArray[np.float32]]
_JUDGED_TOKENS = 192
"""Of another's answer, of which a member of an ensemble tells how likely it finds it."""
_EMBEDDED_BYTES = 16 << 20
"""Memory for the vectors of questions and of their tokens: some hundreds."""


def _size(embedded: Embedded) -> float:
    return float(sum(each.nbytes for each in embedded))


class Engine:
    """One kernel with its services. Variants are registered when they are first asked for."""

    def __init__(
        self,
        settings: Settings,
        models: ModelStore,
        index: PassageIndex,
        embedder: SentenceTransformerEmbedder,
        memories: Memories,
        examples: ExampleStore,
        toolbox: Toolbox,
        loading: Loading,
        local: LanguageModels,
        *,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._settings = settings
        self._loading = loading
        self._models = models
        self._index = index
        self._embedder = embedder
        self._memories = memories
        self._examples = examples
        self.toolbox = toolbox
        self._translators: Translators | None = None
        self._reranker = find_reranker(settings, models)
        self._lock = threading.RLock()  # a composed variant registers its members
        self._local = local
        self._variants: dict[str, Variant] = {}
        self._fits = fits_of(settings.ensembles, settings.adapters)
        self._others = OtherEngines(
            settings.variants,
            base_file=lambda: models.gguf(settings.generator),
            languages=settings.generator_languages,
            threads=settings.threads,
            resolve=models.resolve,
            apart=local.apart,
        )
        self._found: Remembered[Hashable, tuple[Passage, ...]] = Remembered(settings.passage_cache)
        self._embedded: Remembered[str, Embedded] = Remembered(_EMBEDDED_BYTES, _size)
        self._embedding = EmbeddingService(embedder)
        prompts = load_prompt_plugins()
        add_own_prompts(prompts, settings.prompts)
        self.kernel = Kernel(
            plugins=prompts,
            services=[self._embedding, ExtractiveChatCompletion()],
            ai_service_selector=StrictServiceSelector(),
        )
        self.kernel.add_plugin(RetrievalPlugin(self.search), RETRIEVAL)
        self.kernel.add_plugin(MemoryPlugin(memories.store, owner_of(None)), MEMORY)
        tokens = PassageTokens(
            embedder,
            lambda: index.codec() or embedder.token_codec(),
            index.known_vectors,
            settings.chunk_tokens,
        )
        self.ranker = SentenceRanker(tokens, self.embedded, index.inverse_frequencies)
        self._spans = (
            find_reader(models, engine=settings.embedder_engine, threads=settings.threads, say=say)
            if settings.reading
            else None
        )
        self._tracing = Tracing(settings.trace, content=settings.trace_content)
        self._metrics = Metrics(otlp=settings.trace == "otlp", prometheus=settings.prometheus)
        self._metrics.watch_batches(local.state)
        self._answers = (
            AnswerCache(settings.answers_file, most_mb=settings.answer_cache_mb)
            if settings.stores_answers
            else None
        )
        extractive = Variant(EXTRACTIVE)
        self._variants[EXTRACTIVE] = extractive
        kept = index.note(ANSWERABILITY)
        model = load_model() if kept is None else AnswerabilityModel.of(kept)
        self._answerability = model
        threshold = model.threshold if settings.min_confidence is None else settings.min_confidence
        self._front = Front(
            self._flowing,
            self._passages_of,
            StateOfIndex(index, lambda question: self.embedded(question)[0]),
            cache=self._answers,
            personal=self._is_personal,
            moving=self._moving,
            fixed=[
                settings_digest(settings),
                program_digest(),
                repr(embedder.signature),
                repr((model, threshold)),
                self._spans.revision if self._spans else "",
                folder_digest(
                    path for root in settings.prompts for path in root.rglob("*") if path.is_file()
                ),
            ],
            similar=settings.similar_questions,
            tracing=self._tracing,
            metrics=self._metrics,
        )
        means = Means(
            kernel=self.kernel,
            ranker=self.ranker,
            inverse_frequencies=index.inverse_frequencies,
            answerability=model,
            limits=Limits(
                settings.focus_sentences,
                threshold,
                settings.example_tokens,
                settings.sample_temperature,
                settings.sample_seed,
            ),
            extractive=extractive,
            examples=Examples(examples, embedder),
            parts_kept=Remembered(settings.passage_cache),
            likeness=WordMeaning(embedder),
            entailment=find_entailment(settings, models),
            spans=self._spans,
            listener=Listener(
                weights=index.inverse_frequencies,
                nearest=nearest_by(embedder),
                count=embedder.count_tokens,
                fresh=lambda found, caller: memories.fresh(found, caller=caller),
                budget=settings.conversation_tokens,
                top=settings.memories,
            ),
            functions=FunctionCaller(toolbox, most_calls=settings.function_calls),
        )
        self._flow = AnswerFlow(means)

    def _is_personal(self, asked: Asked) -> bool:
        """Say whether an answer may rest on what is remembered for whoever asks: such ones are not shared."""
        if fact_to_remember(asked.question) is not None:
            return True
        if not asked.memory or not self._settings.memories:
            return False
        try:
            return bool(self._memories.listed(asked.caller))
        except TekioError:
            return True

    def _moving(self, asked: Asked) -> list[str]:
        """Return what changes with the worked examples that a prompt for a question may show."""
        if isinstance(asked.technique, Technique) and not examples_of(asked.technique.value):
            return []
        rows = [item.as_dict() for item in shown_to(self._examples, asked.caller)]
        return [hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()]

    def root(self, name: str) -> Step:
        """Begin a tree of steps, which is sent to where the settings say."""
        return self._tracing.root(name)

    def figures(self) -> tuple[bytes, str] | None:
        """Return what Prometheus reads, and its media type; None where the settings do not offer it."""
        return self._metrics.text() if self._settings.prometheus else None

    def answered(self, asked: Asked, variant: Variant) -> AsyncGenerator[AskEvent, None]:
        """Answer a question as a stream of events, from what is stored where that holds."""
        return self._front.stream(asked, variant)

    def _flowing(self, asked: Asked, variant: Variant, root: Step) -> AsyncGenerator[AskEvent, None]:
        if variant.composition is not None:
            return variant.composition.stream(asked, self._by_member, root)
        # What writes is loaded while passages are searched for, not when its turn comes.
        speaks = variant.speaks(asked.language or detect_language(asked.question))
        self.begin_loading(variant.name if speaks else EXTRACTIVE)
        return self.flow(asked.caller).stream(asked, variant, root)

    async def _by_member(self, asked: Asked, within: Step) -> AsyncGenerator[AskEvent, None]:
        variant = await asyncio.to_thread(self.variant, asked.variant)
        async with aclosing(self._front.within(asked, variant, within)) as events:
            async for event in events:
                yield event

    async def likelihoods(
        self, name: str, messages: Sequence[Mapping[str, str]], texts: Sequence[str], about: str
    ) -> list[float] | None:
        """Return how likely a variant finds each text behind a prompt; None where it cannot tell.

        Source: the mean of `LocalChatCompletion.likelihoods`.
        """
        service = self.kernel.services.get(name)
        if not isinstance(service, LocalChatCompletion):
            return None
        return await service.likelihoods(messages, texts, most_tokens=_JUDGED_TOKENS, about=about)

    async def _passages_of(self, asked: Asked, variant: Variant) -> list[Passage] | None:
        """Return the passages that the flow would find; None where a model would have to be asked for the parts."""
        if asked.multi_query == "model":
            return None
        parts = await self._flow.parts(asked.question, variant, asked.multi_query)
        where = parse_filters(asked.where)
        return await self.search(asked.question, asked.top_k, where, parts, caller=asked.caller)

    def flow(self, caller: Caller | None) -> AnswerFlow:
        """Return what answers for a caller, over a kernel whose functions search and remember for this caller alone.

        Who asks is no argument of these functions, so nothing that a model writes into a call can widen them.
        """
        return self._flow if caller is None else self._flow.over(self.kernel_of(caller))

    def kernel_of(self, caller: Caller | None) -> Kernel:
        """Return the kernel for a caller, with functions and turns at the language model that are theirs alone."""
        if caller is None:
            return self.kernel
        user = caller.own_name
        services = {
            name: service.of_user(user) if isinstance(service, LocalChatCompletion) else service
            for name, service in self.kernel.services.items()
        }
        kernel = self.kernel.model_copy(update={"plugins": dict(self.kernel.plugins), "services": services})

        async def search(query: str, top: int, where: Filter | None, parts: Sequence[str]) -> list[Passage]:
            return await self.search(query, top, where, parts, caller=caller)

        kernel.add_plugin(RetrievalPlugin(search), RETRIEVAL)
        kernel.add_plugin(MemoryPlugin(self._memories.store, owner_of(caller)), MEMORY)
        return kernel

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
            who = reads(caller)
            key = (query, top, repr(where), tuple(parts), mode, who, chosen, self._index.version())
            found = self._found.get(key)
            under_way().note(kept=found is not None)
            return list(self._found.put(key, tuple(search())) if found is None else found)

        def search() -> list[Passage]:
            with step("embed"):
                (vector, tokens), *others = self._embedded_each([query, *parts])
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

    def embedded(self, query: str) -> Embedded:
        """Return a query's vector, shape (dimension,), and its tokens', shape (t, hidden). Blocks."""
        return self._embedded_each([query])[0]

    def _embedded_each(self, queries: Sequence[str]) -> list[Embedded]:
        held = {query: self._embedded.get(query) for query in queries}
        missing = [query for query, found in held.items() if found is None]
        # One alone goes with those of other threads; several are a batch of their own.
        made = (
            self._embedder.embed_each(missing)
            if len(missing) > 1
            else [self._embedder.embed_query(query) for query in missing]
        )
        held |= {query: self._embedded.put(query, each) for query, each in zip(missing, made, strict=True)}
        return [found for query in queries if (found := held[query]) is not None]

    def embed_alike(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts that are compared with each other, shape (n, dimension), each of length one. Blocks."""
        return self._embedder.embed_queries(texts)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts as passages are, shape (n, dimension), each of length one. Blocks."""
        return self._embedder.embed_passages(texts)

    async def parts(self, query: str, way: MultiQuery) -> tuple[str, ...]:
        """Return the parts of a query; a model that splits it is the variant of the settings."""
        variant = Variant(EXTRACTIVE)
        if way == "model":
            variant = await asyncio.to_thread(self.variant, self._settings.variant)
        return await self._flow.parts(query, variant, way)

    async def measure(self, question: str, top: int, without_document: str | None) -> dict[str, float]:
        """Return the features of answerability of a question."""
        where = None if without_document is None else Where("document", "!=", without_document)
        return await self._measured(question, await self.search(question, top, where))

    async def measured(self, asked: Asked) -> dict[str, float]:
        """Return what is measured of a question as it is asked: the features of answerability, `confidence`, which is
        the estimate, and how many `passages` there are. Those are found once, also for whoever answers."""
        parts: tuple[str, ...] = ()
        if asked.multi_query != "model":
            parts = await self._flow.parts(asked.question, Variant(EXTRACTIVE), asked.multi_query)
        where = parse_filters(asked.where)
        passages = await self.search(asked.question, asked.top_k, where, parts, caller=asked.caller)
        if not passages:
            return {"passages": 0.0, "confidence": 0.0}
        measured = await self._measured(asked.question, passages)
        return {
            **measured,
            "passages": float(len(passages)),
            "confidence": self._answerability.probability(measured),
        }

    async def _measured(self, question: str, passages: Sequence[Passage]) -> dict[str, float]:
        examined = (await asyncio.to_thread(examine, passages)).passages
        ranking = await asyncio.to_thread(self.ranker.rank, question, examined)
        texts = [passage.text for passage in examined]
        readings = await asyncio.to_thread(self._spans.read, question, texts) if self._spans else None
        return measure(question, examined, ranking, readings)

    def all_feedback(self) -> list[Feedback]:
        """Return what everybody said of answers. Blocks."""
        return self._memories.feedback(everybody=True)

    async def prompt(
        self, question: str, passages: Sequence[Passage], *, language: str, technique: str, sentences: int
    ) -> ShownPrompt:
        """Return what a model would be sent for a question over these passages, see `show_prompt`."""
        return await show_prompt(
            self.kernel,
            self.ranker,
            question,
            passages,
            language=language,
            technique=technique,
            sentences=sentences,
        )

    def variant(self, name: str) -> Variant:
        """Return a variant, loading its adapter first if it is one. Blocks.

        Raises:
            UsageError: there is no such variant, or its adapter does not fit the base.
        """
        with self._lock:
            if name in self._settings.composed:
                self._forget_if_fitted_anew()
            if name not in self._variants:
                self._variants[name] = self._register(name)
            return self._variants[name]

    def _forget_if_fitted_anew(self) -> None:
        """Have composed variants made again where an ensemble, which others may ask, was fitted meanwhile."""
        fits = fits_of(self._settings.ensembles, self._settings.adapters)
        if fits != self._fits:
            self._fits = fits
            for name in self._settings.composed:
                self._variants.pop(name, None)

    def _register(self, name: str) -> Variant:
        if name in self._settings.variants:
            variant_names(self._settings.adapters, [name])  # refuses one that an adapter has as well
            service, variant = self._others.make(name)
            self.kernel.add_service(service)
            return variant
        if name in self._settings.composed:
            variant_names(self._settings.adapters, [name])
            return self._blended(name) if name in self._settings.blends else self._composed(name)
        folder, languages = None, frozenset(self._settings.generator_languages)
        local = self._local.engines()
        if name != BASE:
            folder = find_adapter(name, self._settings.adapters)
            if folder is None:
                known = ", ".join(variant_names(self._settings.adapters, self._settings.named_variants))
                raise UsageError(
                    f"there is no variant '{name}'; there are {known}, or give an adapter's folder"
                )
            card = check_adapter(folder, base=local.name, base_folder=local.folder)
            languages = frozenset(card.languages) or languages
        bound = local.bind(folder)
        self.kernel.add_service(
            LocalChatCompletion(service_id=name, generator=bound.generator, adapter=bound.adapter)
        )
        calls = may_call(self._settings.function_calling, local.folder)
        return Variant(
            name,
            languages,
            local.name,
            TokenCounter(local),
            self._local.revision(folder),
            calls,
            goes_on=True,
        )

    def revisions(self, names: Sequence[str]) -> dict[str, str]:
        """Return what changes with each of several variants. Blocks.

        Raises:
            UsageError: there is no such variant.
        """
        return {name: self.variant(name).revision for name in names}

    def _blended(self, name: str) -> Variant:
        local = self._local.engines()
        blending = Blending(
            local,
            adapters=self._settings.adapters,
            servers=self._settings.variants,
            composed=list(self._settings.composed),
            languages=self._settings.generator_languages,
            revision_of=self._local.revision,
        )
        made = blending.make(name, self._settings.ensembles[name])
        self.kernel.add_service(made.service, overwrite=True)  # one that was fitted anew
        calls = may_call(self._settings.function_calling, local.folder)
        return Variant(
            name, made.languages, local.name, TokenCounter(local), made.revision, calls, goes_on=True
        )

    def _composed(self, name: str) -> Variant:
        from kernel.composed.making import compose  # for those alone whose settings have such variants

        composition = compose(name, self._settings, self)
        members = [self.variant(member) for member in composition.members]
        local = [member.model for member in members if member.model and self._is_local(member.name)]
        return Variant(
            name,
            model=local[0] if local else "",
            revision=":".join([composition.revision, *(member.revision for member in members)]),
            composition=composition,
        )

    def pipeline(self, name: str) -> Pipeline:
        """Return a pipeline of the settings with what its steps are done with. Loads no model.

        Raises:
            UsageError: there is no such pipeline.
        """
        from kernel.pipelines.running import Pipeline  # its steps stand on the engine
        from kernel.pipelines.seq2seq import Translators
        from kernel.pipelines.work import Means as StepMeans

        told = self._settings.pipelines.get(name)
        if told is None:
            known = ", ".join(self._settings.pipelines) or "none"
            raise UsageError(f"there is no pipeline '{name}'; there are {known}")
        with self._lock:
            if self._translators is None:
                self._translators = Translators(self._models.resolve)
            limits = self._settings.max_prompt_tokens, self._settings.max_new_tokens
            means = StepMeans(self, self._index, self._translators, *limits)
        return Pipeline(name, told, means, self._settings.surroundings)

    def run_pipeline(self, name: str, given: Given, root: Step) -> AsyncGenerator[PipelineEvent, None]:
        """Run a pipeline as a stream of events, see `Pipeline.events`."""
        return self.pipeline(name).events(given, self._by_member, root)

    def keeps_grammars(self, name: str) -> bool:
        """Say whether a variant can be held to a grammar: one that another engine computes cannot."""
        return self._is_local(name)

    def _is_local(self, name: str) -> bool:
        """Say whether a variant is computed by the language model of the settings."""
        named = set(self._settings.named_variants).difference(self._settings.blends)
        return name != EXTRACTIVE and name not in named

    def check_room(self, variant: Variant) -> None:
        """Check that a variant can take another question, before anything is done for it.

        Raises:
            BusyError: too many wait for the language model.
        """
        self._local.check_room(variant.model)

    def watch_functions(self, note: Callable[[str], None]) -> None:
        """Tell `note` the full name of every function that is called from now on."""

        # Semantic Kernel passes the rest of the chain by this name.
        async def watch(context: Any, next: Callable[[Any], Awaitable[None]]) -> None:  # noqa: A002
            note(context.function.fully_qualified_name)
            await next(context)

        self.kernel.add_filter(FilterTypes.FUNCTION_INVOCATION, watch)

    def _parts_of(self, name: str) -> dict[str, Callable[[], object]]:
        """Return what a question to a variant needs, and how each part is loaded."""
        parts: dict[str, Callable[[], object]] = {EMBEDDER: self._embedder.warm_up}
        if self._spans is not None:
            parts["reading model"] = self._spans.warm_up
        parts[f"variant {name}"] = lambda: self._load_variant(name)
        return parts

    def _load_variant(self, name: str) -> None:
        composition = self.variant(name).composition
        for member in composition.members if composition is not None else ():
            self._load_variant(member)
        if self._is_local(name):
            self._local.load()

    def begin_loading(self, name: str) -> list[Future[None]]:
        """Begin to load what a question to a variant needs, side by side, where it is not loaded."""
        return [self._loading.begin(part, load) for part, load in self._parts_of(name).items()]

    def load(self, name: str) -> None:
        """Load what a question to a variant needs. Blocks.

        Raises:
            UsageError: there is no such variant.
            TekioError: a part cannot be loaded; the others are.
        """
        begun = self.begin_loading(name)
        wait(begun)
        for part in begun:
            part.result()

    def not_loaded(self, name: str) -> list[str]:
        """Name what a question to a variant needs that is not loaded."""
        return [part for part in self._parts_of(name) if not self._loading.is_done(part)]

    def close(self) -> None:
        """End the language model and the servers that were started, and send what is waiting to be sent."""
        self._others.close()
        if self._translators is not None:
            self._translators.close()
        self._local.close()
        self._tracing.close()
        self._metrics.close()
        if self._answers is not None:
            self._answers.close()
