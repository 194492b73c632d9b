"""The one place where everything is put together: settings in, one facade out.

The command line, the API and the page use `Tekio` and nothing behind it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from ingest.pipeline import Progress, check_paths, ingest_paths
from ingest.report import FileReport, IngestReport
from kernel.answer import Answer, AnswerEvent, AskEvent, Technique, TraceStep
from kernel.answer_cache import AnswerCache, CacheState
from kernel.answering.answerability import AnswerabilityModel
from kernel.api_keys import KeyStore
from kernel.asking import AskOptions, check_language, check_top_k, understood
from kernel.chat.adapters import variant_names
from kernel.conversations import Conversations
from kernel.embedders import find_embedder
from kernel.functions.ability import why
from kernel.functions.reports import FunctionsReport, report_functions
from kernel.ingestion import RESERVED_TOKENS, check_engine, ingest_plan, stages_of
from kernel.language_models import LanguageModels
from kernel.lean_import import lean_import
from kernel.loading import EMBEDDER, Loading
from kernel.memories import Memories
from kernel.model_store import ModelStore
from kernel.reembedding import reembed_index
from kernel.selecting import multi_query_of, selection_of
from kernel.settings import Settings
from kernel.suggestions import suggest
from kernel.trace_view import trace_of
from kernel.trial import is_on_trial
from plugins.prompt_folders import prompt_folders
from retrieval.access import Access, Caller
from retrieval.embedding import Embedder
from retrieval.errors import IndexMissingError, UsageError
from retrieval.filter_text import parse_filters
from retrieval.filters import Matches
from retrieval.index_copy import Copied, copy_index
from retrieval.late_vectors import TokenCodec
from retrieval.passages import ANSWERABILITY, DEFAULT_VARIANT, PassageIndex
from retrieval.queries import check_query
from retrieval.ranking import check_mode
from retrieval.records import DocumentSummary, Passage, Tags
from retrieval.stores.opening import Place

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from kernel.answering.rendering import ShownPrompt
    from kernel.backup.places import Counted, Places
    from kernel.documents.results import Comparison, Extraction, Summary
    from kernel.documents.tasks import DocumentTasks
    from kernel.engine import Engine
    from kernel.example_book import ExampleBook
    from kernel.functions.calling import Toolbox
    from kernel.library.library import Library
    from plugins.own_prompts import PromptState
    from retrieval.sentence_transformer import SentenceTransformerEmbedder


_MIB = 2**20


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


@dataclass(frozen=True, slots=True)
class DocumentPart:
    """A part of a document's text, from `start` to `end`; the whole has `characters`."""

    document: str
    start: int
    end: int
    characters: int
    text: str


class Tekio:
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

    # -- documents ----------------------------------------------------------------------------------------

    def ingest(
        self,
        paths: Sequence[Path],
        *,
        tags: Tags | None = None,
        prune: bool | None = None,
        passwords: Sequence[str] = (),
        ocr: bool | None = None,
        engine: str = "local",
        address: str | None = None,
        access: Access | None = None,
        names: Mapping[Path, str] | None = None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> IngestReport:
        """Bring the index in step with files and folders.

        Args:
            paths: files and folders.
            tags: key words to give to every document, by which a search can be narrowed.
            prune: take out what is gone: None unless a whole folder is empty, True always, False never.
            passwords: are tried on encrypted files.
            ocr: read pages without text by text recognition; None takes the setting.
            engine: where files are read and embedded: `local`, or `ray` for a cluster.
            address: of the cluster; None starts a Ray on this machine.
            access: who may read the documents; None leaves it as it is, and new ones to everyone.
            names: names for people of files that are named here, for uploads.
            on_progress: is told after each file.

        Raises:
            UsageError: a path is missing, or a folder holds nothing to read.
            IndexBusyError: another process is writing to the index.
            IndexSignatureError: the index was made with another embedder.
        """
        if not PassageIndex.is_in(self.settings.place):
            check_paths(paths)  # so that a slip of the pen leaves no empty index behind
        plan = ingest_plan(
            self.settings,
            self._find_embedder(),
            tags=tags,
            prune=prune,
            passwords=passwords,
            ocr=ocr,
            access=access,
            names=names,
        )
        check_engine(engine, address)
        index = self._open_index(create=True)
        with index.writing():
            codec = self._token_codec(index)
            stages = stages_of(engine, address, self.settings, plan, codec)
            report = ingest_paths(
                paths,
                store=index,
                embedder=self.embedder,
                plan=plan,
                codec=codec,
                stages=stages,
                on_progress=on_progress,
            )
            index.learn_weights(self._find_embedder().embed_query, say=self._say)
        with self._stored_answers() as answers:
            answers.keep_only({state.id for state in index.states().values()})
        return report

    def documents(self, *, caller: Caller | None = None) -> list[DocumentSummary]:
        """List the documents in the index. Needs no model, and does not ask which one made the index."""
        with self._any_index() as index:
            return index.documents(caller=caller)

    def passages_of(self, document: DocumentSummary, numbers: Sequence[int]) -> list[Passage]:
        """Return some passages of a document out of `documents`, counted from 0. Needs no model."""
        with self._any_index() as index:
            return index.passages_of(document, numbers)

    def share(self, names: Sequence[str], access: Access) -> int:
        """Set who may read documents, by their names or patterns of them; return how many there are.

        Raises:
            UsageError: a name or pattern fits no document; nothing is changed then.
        """
        with self._any_index() as index, index.writing():
            documents = index.documents()
            chosen: set[int] = set()
            for name in names:
                fitting = {row.id for row in documents if Matches("document", name)(row)}
                if not fitting:
                    raise UsageError(f"no document is named '{name}'; `tekio documents` lists them")
                chosen |= fitting
            for document_id in sorted(chosen):
                index.share(document_id, access)
        with self._stored_answers() as answers:
            answers.forget(chosen)
        return len(chosen)

    def reembed(
        self, embedder: str, *, on_progress: Callable[[int, int], None] = lambda done, total: None
    ) -> int:
        """Embed the index anew by another embedder, in one transaction; return how many passages there are.

        Searches of other processes go on in what was before, until it is done; from then on the index opens with
        the new embedder alone, and this Tekio, which is of the old one, is closed.

        Args:
            embedder: its name or folder, as in the settings.
            on_progress: is told how many passages of how many are done.

        Raises:
            UsageError: there is no such embedder.
            IndexMissingError: there is no index.
            IndexSignatureError: the index was made with another embedder than the one in the settings.
            IndexBusyError: another process is writing to the index.
        """
        index = self._open_index()
        chosen = self.settings.model_copy(update={"embedder": embedder})
        new = find_embedder(chosen, self._models, self._say)
        if new.signature == self._find_embedder().signature:
            raise UsageError(f"the index is embedded by {embedder} already")
        room = new.max_tokens - RESERVED_TOKENS
        tokens = min(self.settings.chunk_tokens, room)
        with self._stored_answers() as answers:
            answers.clear()
        try:
            return reembed_index(index, new, chunk_tokens=tokens, say=self._say, on_progress=on_progress)
        finally:
            self.close()

    def quote(self, passage_id: int, start: int, end: int, *, caller: Caller | None = None) -> str | None:
        """Return a span of the document that a passage is of; None when it is gone, or not the caller's to read."""
        return self._open_index().quote(passage_id, start, end, caller=caller)

    def read_document(self, name: str, start: int, end: int, *, caller: Caller | None = None) -> DocumentPart:
        """Return the text of a document from a character to another, or to its end where that comes first.

        Args:
            name: its name, as `documents` lists it, or the end of it.
            start: of the part.
            end: of the part.
            caller: reads what this caller may read; None is who owns the machine.

        Raises:
            UsageError: there is no such document for the caller, or the part is none.
        """
        from kernel.documents.reading import find_document

        if not 0 <= start <= end:
            raise UsageError(f"a part of a document goes from 0 on, and forwards, not from {start} to {end}")
        with self._any_index() as index, index.database.read():
            row = find_document(name, index.documents(caller=caller))
            start, end = min(start, row.characters), min(end, row.characters)
            text = index.excerpt(row.id, start, end)
        return DocumentPart(row.document, start, end, row.characters, text)

    def copy_index(self, target: Place, *, on_progress: Callable[[int, int], None]) -> Copied:
        """Copy the index to another place, without embedding anything, see `retrieval.index_copy`."""
        return copy_index(self.settings.place, target, on_progress=on_progress)

    def back_up(self, file: Path, *, adapters: bool = False, force: bool = False) -> Counted:
        """Write the index and all that belongs to it into one file, while others ask and write.

        Args:
            file: to write.
            adapters: put in the adapters and the trained embedders too.
            force: replaces a file that is there.

        Raises:
            IndexMissingError: there is no index.
            UsageError: the file is there.
        """
        from kernel.backup.making import back_up

        return back_up(self._places(adapters=adapters), file, force=force, say=self._say)

    def restore(self, file: Path, *, force: bool = False) -> Counted:
        """Put back what `back_up` wrote, into the places that the settings name. This Tekio is closed by it.

        Args:
            file: of the backup.
            force: replaces what is there.

        Raises:
            UsageError: it is no backup, or there is something already.
            IndexBusyError: another process has the index open.
        """
        from kernel.backup.restoring import restore

        self.close()
        return restore(file, self._places(adapters=True), force=force, say=self._say)

    def _places(self, *, adapters: bool) -> Places:
        from kernel.backup.places import Places
        from kernel.settings import SETTINGS_FILE

        settings = self.settings
        folders = {
            "examples": settings.examples,
            "uploads": settings.uploads_folder,
            "jobs": settings.jobs,
        }
        folders |= {f"prompts-{number}": folder for number, folder in enumerate(settings.prompts)}
        if adapters:
            folders |= {"adapters": settings.adapters, "embedders": settings.embedders}
        return Places(
            index=settings.place,
            memory=settings.memory_place,
            said=settings.memory,
            answers=settings.answers_file,
            settings=Path(SETTINGS_FILE),
            folders=folders,
        )

    def stored_answers(self) -> CacheState:
        """Return what is stored of answers."""
        with self._stored_answers() as answers:
            return answers.state()

    def forget_answers(self) -> int:
        """Take out all stored answers; return how many there were."""
        with self._stored_answers() as answers:
            return answers.clear()

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

    def _token_codec(self, index: PassageIndex) -> TokenCodec | None:
        if not self.settings.token_vectors:
            return None
        return index.codec() or index.keep_tokens(self._find_embedder().token_codec())

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

    def reread(self, key: str, *, ocr: bool | None = None, caller: Caller | None = None) -> FileReport:
        """Read a document again from its file, see `kernel.library.tending`."""
        from kernel.library.tending import reread

        return reread(self.library, self.ingest, key, ocr=ocr, caller=caller)

    def retag(self, key: str, tags: Tags, *, caller: Caller | None = None) -> None:
        """Give a document other key words, see `kernel.library.tending`."""
        from kernel.library.tending import retag

        retag(self.library, self._any_index, key, tags, caller=caller)

    def _forget_answers_of(self, documents: set[int]) -> int:
        with self._stored_answers() as answers:
            return answers.forget(documents)

    # -- questions ----------------------------------------------------------------------------------------

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
                found = await engine.search(
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
        variant = await asyncio.to_thread(engine.variant, asked.variant)
        engine.check_room(variant)
        async with aclosing(engine.answered(asked, variant)) as events:
            async for event in events:
                yield event

    async def measure(self, question: str, *, without_document: str | None = None) -> dict[str, float]:
        """Return the features from which it is estimated whether the documents answer a question.

        Args:
            question: what is asked.
            without_document: a document to keep from the search, for calibration.
        """
        return await (await self._started()).measure(question, self.settings.top_k, without_document)

    def embed(self, texts: Sequence[str], *, queries: bool = False) -> Vectors:
        """Embed texts by the index's embedder. Blocks.

        Args:
            texts: each at least a character, and within what the embedder takes.
            queries: whether they are searched for, rather than searched in.

        Raises:
            UsageError: a text is empty or too long.
        """
        embedder = self.embedder
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

    def variants(self) -> list[str]:
        """Name who can generate: `base`, `extractive`, the adapters that were found, and those of other engines."""
        return variant_names(self.settings.adapters, self.settings.variants)

    def default_variant(self) -> str:
        """Return who answers where nobody is asked for by name: the index's own, else the setting."""
        try:
            with self._any_index() as index:
                kept = index.note(DEFAULT_VARIANT)
        except IndexMissingError:
            kept = None
        return str(kept["variant"]) if kept else self.settings.variant

    def keep_default_variant(self, name: str | None) -> None:
        """Keep with the index who answers over it where nobody is asked for; None goes back to the setting.

        Raises:
            UsageError: there is no such variant.
            IndexMissingError: there is no index yet.
        """
        if name is not None and name not in self.variants():
            raise UsageError(f"there is no variant '{name}'; there are {', '.join(self.variants())}")
        with self._any_index() as index:
            index.keep_note(DEFAULT_VARIANT, None if name is None else {"variant": name})

    # -- whole documents ----------------------------------------------------------------------------------

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

    # -- examples -----------------------------------------------------------------------------------------

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

    def techniques(self) -> list[str]:
        """Name how prompts can be built: the techniques, and the reader's own folders that answer questions."""
        own = prompt_folders(self.settings.prompts)
        if not own:
            return list(Technique)
        return [*Technique, *(state.name for state in self.prompts() if state.answers and not state.shipped)]

    def prompts(self) -> list[PromptState]:
        """List the prompt functions, those that ship and those of folders, with what is wrong of them."""
        from plugins.own_prompts import add_own_prompts, shipped_prompts
        from plugins.prompt_functions import load_prompt_plugins

        plugins = load_prompt_plugins()
        shipped = shipped_prompts(plugins)
        return [*shipped, *add_own_prompts(plugins, self.settings.prompts)]

    async def functions(self) -> FunctionsReport:
        """Connect what is attached, and return what can be called and how each attachment stands. Needs no index."""
        name = self.settings.generator
        folder = self._models.resolve(name).folder if self._models.is_present(name) else None
        toolbox = await asyncio.to_thread(self.toolbox)
        return await report_functions(toolbox, why(self.settings.function_calling, name, folder))

    # -- parts --------------------------------------------------------------------------------------------

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
                    from kernel.engine import Engine

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
            await asyncio.to_thread(engine.load, name)

    def not_loaded(self) -> list[str]:
        """Name what a question needs that names no variant, and that is not loaded yet."""
        engine = self._engine  # without the lock, which whoever makes it holds for seconds
        if engine is None:
            return ["models"]
        found = [part for name in self._usual_variants() for part in engine.not_loaded(name)]
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
            if self._toolbox is not None:
                self._toolbox.close()
            self._engine = self._index = self._toolbox = None
