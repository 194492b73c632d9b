"""Which engine of this machine computes a variant: OpenVINO or torch in batches where they can, else transformers."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from kernel.chat.adapters import check_adapter
from kernel.chat.chat_tokens import ChatTokenizer
from kernel.chat.generation import Generator
from kernel.chat.paged.architecture import Architecture, UnknownArchitectureError
from kernel.chat.paged.lora import is_plain_lora
from kernel.chat.paged.serving import BatchEngine, Serving
from retrieval.engines.cpu import has_gpu
from retrieval.errors import UsageError

if TYPE_CHECKING:
    from kernel.chat.one_at_a_time import OneAtATime
    from kernel.chat.paged.generator import BatchedGenerator
    from kernel.chat.paged.scheduler import SchedulerState

EngineName = Literal["auto", "openvino", "torch", "transformers"]


@dataclass(frozen=True, slots=True)
class Bound:
    """An engine, and the name by which it knows an adapter; None is the base."""

    generator: Generator
    adapter: str | None


class LocalEngines:
    """The engines over one model folder; each is made when it is first needed."""

    def __init__(
        self, name: str, folder: Path, serving: Serving, *, engine: EngineName, dtype: str, threads: int
    ) -> None:
        """Take a model folder; nothing is loaded yet.

        Args:
            name: of the model.
            folder: where it is.
            serving: how requests are served in batches; its precision may be `auto`.
            engine: `auto` takes torch on a GPU, else OpenVINO, where they compute the model.
            dtype: of the weights, for torch and transformers.
            threads: 0 leaves it to the engines.
        """
        self.name, self.folder = name, folder
        self._serving, self._engine, self._dtype, self._threads = serving, engine, dtype, threads
        self._lock = threading.Lock()
        self._batched: BatchedGenerator | None = None
        self._plain: OneAtATime | None = None
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="language-model")
        self._tokenizer: ChatTokenizer | None = None

    @property
    def tokenizer(self) -> ChatTokenizer:
        """The model's tokenizer; loading it loads no weights."""
        with self._lock:
            if self._tokenizer is None:
                self._tokenizer = ChatTokenizer(self.folder)
            return self._tokenizer

    def engine_of(self, adapter: Path | None = None) -> str:
        """Name what computes the base, or an adapter's folder.

        Raises:
            UsageError: the setting asks for an engine that cannot compute it.
        """
        if self._engine == "transformers":
            return "transformers"
        wanted = self._batch_engine()
        why = self._why_not(wanted, adapter)
        if why and self._engine != "auto":
            raise UsageError(f"the engine {wanted} cannot compute {adapter or self.name}: {why}")
        return "transformers" if why else wanted

    def why_not_batched(self, adapter: Path | None = None) -> str:
        """Return why the base, or an adapter's folder, is computed one answer at a time; empty where it is not."""
        if self._engine == "transformers":
            return "the setting generator_engine names transformers"
        return self._why_not(self._batch_engine(), adapter)

    def revision(self, adapter: Path | None) -> str:
        """Return what changes with how a variant is computed."""
        engine = self.engine_of(adapter)
        return f"{engine}:{self._dtype if engine == 'transformers' else self._precision()}"

    def bind(self, adapter: Path | None) -> Bound:
        """Return what writes by an adapter's folder, loaded, or by the base, loaded later. Blocks.

        Raises:
            UsageError: the adapter is broken, without effect, or made for another base.
        """
        if self.engine_of(adapter) != "transformers":
            batched = self._find_batched()
            return Bound(batched, None if adapter is None else batched.load_adapter(adapter))
        plain = self._find_plain()
        if adapter is None:
            return Bound(plain, None)
        check_adapter(adapter, base=self.name, base_folder=self.folder)
        # In the model's own thread, so that no generation is under way while layers change.
        return Bound(plain, self._executor.submit(plain.model.load_adapter, adapter).result())

    def load(self) -> None:
        """Load the base. Blocks."""
        if self.engine_of() != "transformers":
            self._find_batched().load()
        else:
            self._executor.submit(self._find_plain().model.load).result()

    def check_room(self) -> None:
        """Check that another request may wait.

        Raises:
            BusyError: too many wait already.
        """
        if self._batched is not None:
            self._batched.check_room()

    def state(self) -> SchedulerState | None:
        """Return what the batches did so far; None where nothing is served in batches."""
        return None if self._batched is None else self._batched.state()

    def close(self) -> None:
        """End what is under way."""
        self._executor.shutdown(wait=False, cancel_futures=True)
        if self._batched is not None:
            self._batched.close()

    def _batch_engine(self) -> BatchEngine:
        """Return what computes batches."""
        if self._engine == "auto":
            return "torch" if has_gpu() else "openvino"
        return "torch" if self._engine == "torch" else "openvino"

    def _precision(self) -> str:
        """Return how weights are held in batches: as said, else as `dtype` says, else OpenVINO has them in 8 bits."""
        said = self._serving.precision
        if said != "auto" or self._batch_engine() == "torch":
            return self._dtype if said == "auto" else said
        return "int8" if self._dtype == "auto" else self._dtype

    def _why_not(self, engine: BatchEngine, adapter: Path | None) -> str:
        """Return why an engine cannot compute the base or an adapter in batches; empty where it can."""
        if importlib.util.find_spec(engine) is None:
            return f"the package {engine} is not there"
        try:
            Architecture.read(self.folder)
        except UnknownArchitectureError as error:
            return str(error)
        if adapter is not None and not is_plain_lora(adapter):
            return "adapters other than plain LoRA are computed by transformers"
        return ""

    def _find_batched(self) -> BatchedGenerator:
        from kernel.chat.paged.generator import BatchedGenerator

        tokenizer = self.tokenizer
        serving = replace(self._serving, engine=self._batch_engine(), precision=self._precision())
        with self._lock:
            if self._batched is None:
                self._batched = BatchedGenerator(self.name, self.folder, serving, tokenizer)
            return self._batched

    def _find_plain(self) -> OneAtATime:
        from kernel.chat.language_model import LanguageModel
        from kernel.chat.one_at_a_time import OneAtATime

        with self._lock:
            if self._plain is None:
                model = LanguageModel(self.name, self.folder, dtype=self._dtype, threads=self._threads)
                self._plain = OneAtATime(model, self._executor)
            return self._plain


@dataclass(frozen=True, slots=True)
class TokenCounter:
    """Counts the tokens of a chat as the model will see it."""

    engines: LocalEngines

    def count(self, messages: Sequence[dict[str, str]]) -> int:
        """Return the exact number of tokens of a prompt."""
        return len(self.engines.tokenizer.encode_chat(messages))
