"""The engine as a `Generator`: a base with its LoRA adapters, served to many at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernel.chat.adapters import check_adapter, check_effect, vocabulary_of
from kernel.chat.chat_tokens import ChatTokenizer
from kernel.chat.generation import Generation, Sampling
from kernel.chat.grammar import GrammarMask, grammar_tokenizer
from kernel.chat.paged.architecture import Architecture
from kernel.chat.paged.choosing import Chooser
from kernel.chat.paged.dictating import MOST_GUESSED, Ahead, Dictated
from kernel.chat.paged.drafting import Drafter
from kernel.chat.paged.gpu_memory import weights_mb
from kernel.chat.paged.guessing import Pace
from kernel.chat.paged.lora import read_lora
from kernel.chat.paged.mixing import MixRule, Mixture
from kernel.chat.paged.request import Reader, Request, readers_of
from kernel.chat.paged.scheduler import Scheduler, SchedulerState
from kernel.chat.paged.serving import CPU_CACHE_MB, Serving
from kernel.chat.paged.shortlist import FILE, Words, common_words
from kernel.chat.paged.step import StepModel
from kernel.chat.paged.text_stream import TextStream
from kernel.chat.stamps import weights_stamp
from retrieval.errors import TekioError, UsageError

_DRAFT_CACHE_MB = 256


class BatchedGenerator:
    """Weights loaded once, all requests in one batch. Loading blocks; `start` does not."""

    def __init__(self, name: str, folder: Path, serving: Serving, tokenizer: ChatTokenizer) -> None:
        """Take a model folder and its tokenizer; no weights are loaded yet."""
        self.name, self.folder, self.tokenizer = name, folder, tokenizer
        self._serving = serving
        self._lock = threading.Lock()
        self._scheduler: Scheduler | None = None
        self._window = 0
        self._adapters: dict[str, str] = {}
        self._grammar_tokenizer: Any = None
        self._preparing = ThreadPoolExecutor(1, thread_name_prefix="language-model-prompts")

    def load(self) -> Scheduler:
        """Load the weights, if they are not loaded. Blocks.

        Raises:
            UnknownArchitectureError: another engine has to compute the model.
            TekioError: its files are damaged, or there is no memory.
        """
        with self._lock:
            if self._scheduler is None:
                serving, drafter = self._serving, self._drafter()
                if serving.engine == "torch" and serving.draft is not None:
                    beside = weights_mb([serving.draft]) + (serving.cache_mb or _DRAFT_CACHE_MB)
                    serving = replace(serving, others_mb=serving.others_mb + beside)
                model = load_step_model(self.folder, serving)
                self._window = model.architecture.window
                self._scheduler = Scheduler(
                    model,
                    slots=serving.slots,
                    queue=serving.queue,
                    drafter=drafter,
                    from_text=serving.from_text,
                )
            return self._scheduler

    def load_adapter(self, folder: Path) -> str:
        """Load a plain LoRA adapter, once for as long as its files stay; return the name to generate with. Blocks.

        One whose files were replaced is loaded beside what it was, by which answers that are under way go on.

        Raises:
            UsageError: the adapter is broken, without effect, or made for another base.
        """
        key = f"{folder.resolve()}:{weights_stamp(folder)}"
        if key in self._adapters:
            return self._adapters[key]
        check_adapter(folder, base=self.name, base_folder=self.folder)
        scheduler = self.load()
        probe = self.tokenizer.encode_chat([{"role": "user", "content": "Hello"}])
        try:
            place = scheduler.add_adapter(
                read_lora(folder, key),
                probe,
                lambda adapted, bare: check_effect(folder, adapted, bare),
            ).result()
        except (RuntimeError, ValueError) as error:  # OpenVINO's and numpy's, of shapes that do not fit
            raise UsageError(
                f"the adapter in {folder} cannot be loaded over {self.name}: {str(error).strip()[:200]}"
            ) from error
        self._adapters[key] = str(place)
        return self._adapters[key]

    def check_room(self) -> None:
        """Check that another request may wait.

        Raises:
            BusyError: too many are waiting.
        """
        if self._scheduler is not None:
            self._scheduler.check_room()

    def state(self) -> SchedulerState:
        """Return what was done so far."""
        return SchedulerState() if self._scheduler is None else self._scheduler.state()

    def start(
        self,
        messages: Sequence[Mapping[str, str]],
        sampling: Sampling,
        *,
        adapter: str | None = None,
        on_text: Callable[[str], None] | None = None,
        stop: threading.Event | None = None,
        user: str = "",
        mixture: Mixture | None = None,
    ) -> Future[Generation]:
        """Begin to write a turn, see `Generator`; by a mixture, if there is one, in place of an adapter."""
        readers = readers_of(adapter, mixture)
        return self._start(messages, sampling, readers, on_text, stop, user).future

    def start_drafts(
        self,
        messages: Sequence[Mapping[str, str]],
        sampling: Sampling,
        count: int,
        *,
        adapter: str | None = None,
        stop: threading.Event | None = None,
        user: str = "",
        mixture: Mixture | None = None,
    ) -> Future[list[Generation]]:
        """Begin to write several turns, see `Generator`: the others follow when the first has read the prompt."""
        gathered = _Gathered(count)

        def begin(number: int, on_first: Callable[[], None] | None) -> None:
            seed = None if sampling.seed is None else sampling.seed + number
            one = replace(sampling, seed=seed)
            request = self._start(messages, one, readers_of(adapter, mixture), None, stop, user, on_first)
            request.future.add_done_callback(lambda done: gathered.put(number, done))

        def begin_others() -> None:
            for number in range(1, count):
                begin(number, None)

        begin(0, begin_others if count > 1 else None)
        return gathered.future

    def start_dictation(
        self,
        messages: Sequence[Mapping[str, str]],
        text: str,
        *,
        most_tokens: int,
        adapter: str | None = None,
        stop: threading.Event | None = None,
        user: str = "",
        mixture: Mixture | None = None,
    ) -> Future[Generation]:
        """Begin to read a text as if it were written; the `mean_log_probability` tells how likely it is found.

        Args:
            messages: before the text.
            text: of which at most `most_tokens` are read; with the end of the turn, where it is not longer.
            most_tokens: see there.
            adapter: as the engine names it; None is the base.
            stop: when set, reading ends.
            user: whose request it is, for fairness.
            mixture: that reads it, in place of an adapter.
        """
        ids = [*self.tokenizer.encode_text(text), self.tokenizer.stop_ids[0]][:most_tokens]
        request = self._made(Sampling(max_new_tokens=len(ids)), readers_of(adapter, mixture), stop, user)
        request.chooser, request.lookup = Dictated(ids), Ahead(ids)
        request.pace = Pace(MOST_GUESSED)
        request.pace.now = MOST_GUESSED  # all of them hold
        return self._submit(request, messages).future

    def logits_behind(
        self, messages: Sequence[Mapping[str, str]], answer: str, adapters: Sequence[str | None]
    ) -> tuple[list[int], list[NDArray[np.float32]]]:
        """Return the ids of an answer and of the end of its turn, and of what each adapter would write there. Blocks.

        Args:
            messages: before the answer.
            answer: as it is to be read.
            adapters: as `load_adapter` names them; None is the base.

        Returns:
            the ids, n of them, and the logits of each adapter for these places, shape (n, vocabulary).

        Raises:
            TekioError: the text does not fit the model's window or its cache.
        """
        scheduler = self.load()
        prompt = self.tokenizer.encode_chat(messages)
        ids = [*self.tokenizer.encode_text(answer), self.tokenizer.stop_ids[0]]
        if len(prompt) + len(ids) > self._window:
            raise TekioError(
                f"a text of {len(prompt) + len(ids)} tokens does not fit the window of {self._window} tokens "
                f"of {self.name}"
            )
        places = [None if each is None else int(each) for each in adapters]
        return ids, scheduler.read([*prompt, *ids[:-1]], len(ids), places).result()

    def close(self) -> None:
        """End what is under way."""
        self._preparing.shutdown(wait=False, cancel_futures=True)
        if self._scheduler is not None:
            self._scheduler.close()  # what is under way may still be told what became of it

    def _start(
        self,
        messages: Sequence[Mapping[str, str]],
        sampling: Sampling,
        readers: tuple[MixRule, list[Reader]],
        on_text: Callable[[str], None] | None,
        stop: threading.Event | None,
        user: str,
        on_first: Callable[[], None] | None = None,
    ) -> Request:
        request = self._made(sampling, readers, stop, user)
        request.on_first = on_first
        if on_text is not None:
            request.stream = TextStream(request.decode, on_text)
        return self._submit(request, messages)

    def _made(
        self,
        sampling: Sampling,
        readers: tuple[MixRule, list[Reader]],
        stop: threading.Event | None,
        user: str,
    ) -> Request:
        return Request(
            ids=[],
            prompt=0,
            sampling=sampling,
            stop_ids=(),
            decode=self.tokenizer.decode,
            chooser=Chooser(sampling, sampled_guesses=self._serving.sampled_guesses),
            rule=readers[0],
            readers=readers[1],
            user=user,
            stop=stop,
            seconds=self._serving.seconds,
            most_guessed=self._serving.guessed,
            steady=self._serving.steady,
        )

    def _submit(self, request: Request, messages: Sequence[Mapping[str, str]]) -> Request:
        try:
            self._preparing.submit(self._prepare, request, messages)
        except RuntimeError:  # of a pool that was shut down
            request.fail(TekioError("the language model is closed"))
        return request

    def _prepare(self, request: Request, messages: Sequence[Mapping[str, str]]) -> None:
        try:
            ids = self.tokenizer.encode_chat(messages)
            scheduler = self.load()
            if len(ids) + request.sampling.max_new_tokens > self._window:
                raise TekioError(
                    f"the prompt of {len(ids)} tokens and an answer of {request.sampling.max_new_tokens} do not fit "
                    f"the window of {self._window} tokens of {self.name}: ask with fewer passages"
                )
            request.ids, request.prompt = ids, len(ids)
            request.stop_ids = self.tokenizer.stop_ids
            if request.sampling.grammar is not None:
                mask = self._mask(request.sampling.grammar)
                request.chooser = Chooser(
                    request.sampling, mask, sampled_guesses=self._serving.sampled_guesses
                )
            scheduler.submit(request)
        except BaseException as error:  # whoever waits has to hear of it
            request.fail(error)

    def _drafter(self) -> Drafter | None:
        folder, serving = self._serving.draft, self._serving
        if folder is None or not serving.guessed:
            return None
        if vocabulary_of(folder) != vocabulary_of(self.folder):
            raise UsageError(
                f"the model in {folder} has other words than {self.name}: it cannot guess for it"
            )
        # Before the model that it guesses for, which on a GPU takes all the memory that is left.
        held = serving.draft_precision or serving.precision
        cache_mb = serving.cache_mb or _DRAFT_CACHE_MB
        vocabulary = Architecture.read(self.folder).vocabulary
        common = common_words(folder, serving.draft_words) if serving.draft_words else None
        if common is not None and int(common[-1]) >= vocabulary:
            raise UsageError(f"{folder / FILE} names words that {self.name} has not: distil the draft anew")
        model = load_step_model(folder, replace(serving, cache_mb=cache_mb, precision=held), common)
        return Drafter(model, vocabulary, common)

    def _mask(self, grammar: str) -> GrammarMask:
        if self._grammar_tokenizer is None:
            self._grammar_tokenizer = grammar_tokenizer(self.tokenizer.tokenizer, self.load().vocabulary)
        return GrammarMask(self._grammar_tokenizer, grammar, self.tokenizer.stop_ids)


def load_step_model(folder: Path, serving: Serving, words: Words | None = None) -> StepModel:
    """Load weights by the engine that is to compute them; `words` are those whose logits are computed, None all."""
    if serving.engine == "torch":
        from kernel.chat.paged.torch_model import TorchPagedModel

        return TorchPagedModel(
            folder,
            precision=serving.precision,
            threads=serving.threads,
            cache_mb=serving.cache_mb,
            memory_share=serving.gpu_memory_share,
            others_mb=serving.others_mb,
            words=words,
        )
    from kernel.chat.paged.model import PagedModel

    return PagedModel(
        folder,
        precision=serving.precision,
        threads=serving.threads,
        cache_mb=serving.cache_mb or CPU_CACHE_MB,
        words=words,
    )


class _Gathered:
    """Several generations as one future; the first that fails fails it."""

    def __init__(self, count: int) -> None:
        self.future: Future[list[Generation]] = Future()
        self.future.set_running_or_notify_cancel()
        self._made: list[Generation | None] = [None] * count
        self._lock = threading.Lock()

    def put(self, number: int, done: Future[Generation]) -> None:
        with self._lock:
            if self.future.done():
                return
            error = TekioError("a draft was given up") if done.cancelled() else done.exception()
            if error is not None:
                self.future.set_exception(error)
                return
            self._made[number] = done.result()
            whole = [each for each in self._made if each is not None]
            if len(whole) == len(self._made):
                self.future.set_result(whole)
