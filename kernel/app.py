"""The one place where everything is put together: settings in, one facade out.

The command line, the API and the page use `Tekio` and nothing behind it. What it does with documents and questions is
in `kernel.facade`, by groups; here is what they stand on.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from kernel.answer import Answer
from kernel.answer_cache import AnswerCache
from kernel.api_keys import KeyStore
from kernel.conversations import Conversations
from kernel.embedders import find_embedder
from kernel.facade.documents import DocumentWork
from kernel.facade.keeping import Keeping
from kernel.facade.pipelines import PipelineWork
from kernel.facade.questions import Questions
from kernel.facade.variants import Variants
from kernel.facade.whole_documents import WholeDocuments
from kernel.language_models import LanguageModels
from kernel.lean_import import lean_import
from kernel.loading import EMBEDDER, Loading
from kernel.memories import Memories
from kernel.model_store import ModelStore
from kernel.settings import Settings
from kernel.trial import is_on_trial
from retrieval.access import Caller
from retrieval.embedding import Embedder
from retrieval.errors import IndexMissingError
from retrieval.passages import PassageIndex

if TYPE_CHECKING:
    from kernel.engine.engine import Engine
    from kernel.example_book import ExampleBook
    from kernel.functions.calling import Toolbox
    from kernel.library.library import Library
    from retrieval.sentence_transformer import SentenceTransformerEmbedder


_MIB = 2**20


class Tekio(DocumentWork, Keeping, Questions, WholeDocuments, PipelineWork, Variants):
    """A Tekio over one index. Opening it is cheap: models are loaded once, when first needed."""

    def __init__(self, settings: Settings, *, on_message: Callable[[str], None] | None = None) -> None:
        self.settings = settings
        self._say = on_message or (lambda text: None)
        self._models = ModelStore(settings.cache, offline=settings.offline, on_message=on_message)
        self._lock = threading.RLock()
        self._embedder: SentenceTransformerEmbedder | None = None
        self._index: PassageIndex | None = None
        self._engine: Engine | None = None
        self.memory = Memories(
            settings.memory_place,
            settings.memory,
            self._find_embedder,
            lambda names, caller: self._open_index().contents(names, caller=caller),
            lambda passage, start, end, caller: self.quote(passage, start, end, caller=caller),
        )
        self.conversations = Conversations(settings.memory_place, settings.memory)
        self.keys = KeyStore(settings.memory_place)
        self._examples: ExampleBook | None = None
        self._toolbox: Toolbox | None = None
        self._library: Library | None = None
        self._loading = Loading()
        self._apart: Tekio | None = None
        self._apart_folder: TemporaryDirectory[str] | None = None

    @contextmanager
    def _stored_answers(self) -> Iterator[AnswerCache]:
        with closing(
            AnswerCache(self.settings.answers_file, most_mb=self.settings.answer_cache_mb)
        ) as answers:
            yield answers

    @contextmanager
    def _any_index(self) -> Iterator[PassageIndex]:
        """Give the index as it is, whichever model made it."""
        if self._index is not None:
            yield self._index
            return
        with closing(PassageIndex(self.settings.place, None)) as index:
            yield index

    @property
    def library(self) -> Library:
        """The documents one by one: uploads, originals, images of pages, deletion."""
        with self._lock:
            if self._library is None:
                from kernel.library.library import Library
                from kernel.library.page_images import PageImages
                from kernel.library.uploads import UploadFolder

                settings = self.settings
                self._library = Library(
                    UploadFolder(settings.uploads_folder, settings.max_upload_mb * _MIB),
                    PageImages(settings.reader_seconds),
                    index=self._any_index,
                    ingest=self.ingest,
                    forget_answers=self._forget_answers_of,
                    image_memory=settings.reader_memory_mb * _MIB,
                )
            return self._library

    @property
    def examples(self) -> ExampleBook:
        """The worked examples of prompts: those that ship, and those that experts added."""
        with self._lock:
            if self._examples is None:
                from kernel.example_book import ExampleBook  # imports Semantic Kernel

                self._examples = ExampleBook(self.settings.examples, self.documents, self._say)
            return self._examples

    def add_example(self, answer: Answer, *, caller: Caller | None = None) -> str:
        """Keep an answer that somebody approved as an example for later prompts; return its id.

        Args:
            answer: is supported throughout.
            caller: whose example it is, shown in their own prompts alone; None makes it everyone's.

        Raises:
            UsageError: it is a refusal, has sentences that nothing supports or was cut, or would show everyone what
                not everyone may read.
        """
        return self.examples.approve(answer, caller=caller)[0].id

    @property
    def embedder(self) -> Embedder:
        """The embedding model, found but not loaded."""
        return self._find_embedder()

    def _find_embedder(self) -> SentenceTransformerEmbedder:
        with self._lock:
            if self._embedder is None:
                self._embedder = find_embedder(self.settings, self._models, self._say)
            return self._embedder

    def _open_index(self, *, create: bool = False) -> PassageIndex:
        with self._lock:
            if self._index is None:
                # Before a model is fetched for nothing.
                PassageIndex.require(self.settings.place, create=create)
                self._index = PassageIndex(self.settings.place, self.embedder.signature, create=create)
            return self._index

    def toolbox(self) -> Toolbox:
        """Return the functions that can be called; nothing is connected before it is needed."""
        with self._lock:
            if self._toolbox is None:
                from kernel.functions.calling import Toolbox

                self._toolbox = Toolbox(self.settings.own_functions, self.settings.functions)
            return self._toolbox

    async def _started(self) -> Engine:
        return await asyncio.to_thread(self._start)

    def _start(self) -> Engine:
        with self._lock:
            if self._engine is None:
                index = self._open_index()
                # Semantic Kernel takes seconds to import; the embedder is made ready beside it.
                self._loading.begin(EMBEDDER, self._find_embedder().warm_up)
                with lean_import():
                    from kernel.engine.engine import Engine

                examples = self.examples.store
                self._engine = Engine(
                    self.settings,
                    self._models,
                    index,
                    self._find_embedder(),
                    self.memory,
                    examples,
                    self.toolbox(),
                    self._loading,
                    LanguageModels(self.settings, self._models),
                    say=self._say,
                )
            return self._engine

    async def _started_apart(self) -> Engine:
        return await asyncio.to_thread(self._start_apart)

    def _start_apart(self) -> Engine:
        with self._lock:
            if self._apart is None:
                self._apart_folder = TemporaryDirectory(prefix="tekio-")
                place = {"index": Path(self._apart_folder.name) / "index", "store": "", "answer_cache": False}
                self._apart = Tekio(self.settings.model_copy(update=place), on_message=self._say)
                self._apart._open_index(create=True)
            return self._apart._start()

    async def figures(self) -> tuple[bytes, str] | None:
        """Return what Prometheus reads, and its media type; None where the settings do not offer it."""
        return (await self._started()).figures() if self.settings.prometheus else None

    async def warm_up(self) -> None:
        """Load what a question needs that names no variant, now rather than at the first question.

        Raises:
            IndexMissingError: there is no index yet.
            TekioError: a model cannot be loaded; those that can be are.
        """
        engine = await self._started()
        for name in await asyncio.to_thread(self._usual_variants):
            await asyncio.to_thread(engine.warm_up.load, name)

    def not_loaded(self) -> list[str]:
        """Name what a question needs that names no variant, and that is not loaded yet."""
        engine = self._engine  # without the lock, which whoever makes it holds for seconds
        if engine is None:
            return ["models"]
        found = [part for name in self._usual_variants() for part in engine.warm_up.not_loaded(name)]
        return list(dict.fromkeys(found))

    def _usual_variants(self) -> list[str]:
        on_trial = [str(self.settings.trial_variant)] if is_on_trial(self.settings) else []
        return [self.default_variant(), *on_trial]

    def index_state(self) -> tuple[str, int] | None:
        """Return what changes with the index; None where there is none. Cheap: nothing is listed, no model is needed.

        Raises:
            TekioError: its place cannot be reached.
        """
        try:
            with self._any_index() as index:
                return index.identity(), index.version()[0]
        except IndexMissingError:
            return None

    def close(self) -> None:
        """Let go of the index and the models' thread."""
        with self._lock:
            if self._engine is not None:
                self._engine.close()
            if self._index is not None:
                self._index.close()
            self.memory.close()
            if self._apart is not None and self._apart_folder is not None:
                self._apart.close()
                self._apart_folder.cleanup()
            if self._toolbox is not None:
                self._toolbox.close()
            self._engine = self._index = self._toolbox = self._apart = self._apart_folder = None
