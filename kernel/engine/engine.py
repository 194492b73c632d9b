"""What answers questions over one index: its parts wired together, and the answering flow over them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from semantic_kernel import Kernel
from semantic_kernel.filters.filter_types import FilterTypes

from kernel.answer import AskEvent
from kernel.answering.answerability import AnswerabilityModel, load_model
from kernel.answering.asked import Asked
from kernel.answering.claims.meaning import WordMeaning
from kernel.answering.examples import Examples
from kernel.answering.flow import AnswerFlow
from kernel.answering.means import Limits, Means
from kernel.answering.parts import MultiQuery
from kernel.answering.passage_tokens import PassageTokens
from kernel.answering.ranking import SentenceRanker
from kernel.answering.rendering import ShownPrompt, show_prompt
from kernel.answering.run import Variant
from kernel.composed.composition import Composition
from kernel.conversation.listening import Listener
from kernel.conversation.nearest import nearest_by
from kernel.embedders import find_entailment, find_reranker
from kernel.engine.kernels import kernel_for, make_kernel
from kernel.engine.measuring import Measuring
from kernel.engine.searching import Searching
from kernel.engine.stored_answers import examples_digest, fixed_parts, open_answers, personal_by
from kernel.engine.variants import VariantRegistry
from kernel.engine.warm_up import WarmUp
from kernel.front import Front
from kernel.functions.calling import Toolbox
from kernel.functions.choosing import FunctionCaller
from kernel.index_view import StateOfIndex
from kernel.language_models import LanguageModels
from kernel.loading import Loading
from kernel.memories import Memories
from kernel.metrics import Metrics
from kernel.model_store import ModelStore
from kernel.reading_model import find_reader, own_reader
from kernel.selecting import selection_of
from kernel.settings import Settings
from kernel.tracing import Tracing
from kernel.variant_names import EXTRACTIVE
from plugins.example_store import ExampleStore
from plugins.memory.feedback import Feedback
from retrieval.access import Caller
from retrieval.analysis import detect_language
from retrieval.errors import UsageError
from retrieval.filter_text import parse_filters
from retrieval.index_meta import ANSWERABILITY
from retrieval.passages import PassageIndex
from retrieval.records import Passage
from retrieval.remembered import Remembered
from retrieval.sentence_transformer import SentenceTransformerEmbedder
from retrieval.stages import Step

if TYPE_CHECKING:
    from kernel.pipelines.events import PipelineEvent
    from kernel.pipelines.running import Given, Pipeline
    from kernel.pipelines.seq2seq import Translators


class Engine:
    """One kernel with what answers over it.

    Attributes:
        kernel: has the services, the prompt functions, the search and the memory.
        searching: finds passages.
        ranker: ranks their sentences.
        variants: who answers.
        measuring: says what can be known of a question before it is answered.
        warm_up: loads what questions need.
        toolbox: the functions that can be called.
    """

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
        self._models = models
        self._index = index
        self._memories = memories
        self.toolbox = toolbox
        self._translators: Translators | None = None
        self._lock = threading.Lock()
        self.searching = Searching(
            index,
            embedder,
            find_reranker(settings, models),
            usual=selection_of(settings),
            kept=settings.passage_cache,
        )
        self.kernel = make_kernel(settings.prompts, embedder, self.searching, memories.store)
        self.variants = VariantRegistry(settings, models, local, self.kernel, self._composition)
        tokens = PassageTokens(
            embedder,
            lambda: index.codec() or embedder.token_codec(),
            index.known_vectors,
            settings.chunk_tokens,
        )
        self.ranker = SentenceRanker(tokens, self.searching.embedded, index.inverse_frequencies)
        spans = (
            find_reader(
                models,
                own=own_reader(settings.reading_model, settings.models) if settings.reading_model else None,
                engine=settings.embedder_engine,
                threads=settings.threads,
                say=say,
            )
            if settings.reading
            else None
        )
        self.warm_up = WarmUp(loading, embedder, spans, self.variants)
        self._tracing = Tracing(settings.trace, content=settings.trace_content)
        self._metrics = Metrics(otlp=settings.trace == "otlp", prometheus=settings.prometheus)
        self._metrics.watch_batches(local.state)
        self._answers = open_answers(settings)
        kept = index.note(ANSWERABILITY)
        model = load_model() if kept is None else AnswerabilityModel.of(kept)
        threshold = model.threshold if settings.min_confidence is None else settings.min_confidence
        self._front = Front(
            self._flowing,
            self._passages_of,
            StateOfIndex(index, lambda question: self.searching.embedded(question)[0]),
            cache=self._answers,
            personal=personal_by(memories, recalled=settings.memories),
            moving=examples_digest(examples),
            fixed=fixed_parts(
                settings, embedder.signature, model, threshold, spans.revision if spans else ""
            ),
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
            extractive=self.variants.extractive,
            examples=Examples(examples, embedder),
            parts_kept=Remembered(settings.passage_cache),
            likeness=WordMeaning(embedder),
            entailment=find_entailment(settings, models),
            spans=spans,
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
        self.measuring = Measuring(self.searching, self.ranker, spans, model, self._flow.parts)

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
        self.warm_up.begin(variant.name if speaks else EXTRACTIVE)
        return self.flow(asked.caller).stream(asked, variant, root)

    async def _by_member(self, asked: Asked, within: Step) -> AsyncGenerator[AskEvent, None]:
        variant = await asyncio.to_thread(self.variants.get, asked.variant)
        async with aclosing(self._front.within(asked, variant, within)) as events:
            async for event in events:
                yield event

    async def _passages_of(self, asked: Asked, variant: Variant) -> list[Passage] | None:
        """Return the passages that the flow would find; None where a model would have to be asked for the parts."""
        if asked.multi_query == "model":
            return None
        parts = await self._flow.parts(asked.question, variant, asked.multi_query)
        where = parse_filters(asked.where)
        return await self.searching.search(asked.question, asked.top_k, where, parts, caller=asked.caller)

    def flow(self, caller: Caller | None) -> AnswerFlow:
        """Return what answers for a caller, over a kernel whose functions search and remember for this caller alone."""
        return self._flow if caller is None else self._flow.over(self.kernel_of(caller))

    def kernel_of(self, caller: Caller | None) -> Kernel:
        """Return the kernel for a caller, see `kernel_for`."""
        if caller is None:
            return self.kernel
        return kernel_for(caller, self.kernel, self.searching, self._memories.store)

    async def parts(self, query: str, way: MultiQuery) -> tuple[str, ...]:
        """Return the parts of a query; a model that splits it is the variant of the settings."""
        variant = Variant(EXTRACTIVE)
        if way == "model":
            variant = await asyncio.to_thread(self.variants.get, self._settings.variant)
        return await self._flow.parts(query, variant, way)

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

    def _composition(self, name: str) -> Composition:
        from kernel.composed.making import compose  # for those alone whose settings have such variants

        return compose(name, self._settings, self)

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

    def watch_functions(self, note: Callable[[str], None]) -> None:
        """Tell `note` the full name of every function that is called from now on."""

        # Semantic Kernel passes the rest of the chain by this name.
        async def watch(context: Any, next: Callable[[Any], Awaitable[None]]) -> None:  # noqa: A002
            note(context.function.fully_qualified_name)
            await next(context)

        self.kernel.add_filter(FilterTypes.FUNCTION_INVOCATION, watch)

    def close(self) -> None:
        """End the language model and the servers that were started, and send what is waiting to be sent."""
        if self._translators is not None:
            self._translators.close()
        self.variants.close()
        self._tracing.close()
        self._metrics.close()
        if self._answers is not None:
            self._answers.close()
