"""A causal language model in this process, with adapters over the same weights."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kernel.answer import FinishReason
from kernel.chat.adapters import check_adapter
from kernel.chat.chat_tokens import ChatTokenizer
from kernel.chat.generation import Generation, Sampling, how_it_ended
from kernel.chat.stamps import weights_stamp
from retrieval.errors import TekioError, first_line

if TYPE_CHECKING:
    from kernel.chat.adapter_trees import AdapterTrees

_PREFILL_SHAPE = (256, 576, 1536)  # a prompt's rows through a feed-forward layer of the default model
_WORTHWHILE = 0.8


class LanguageModel:
    """Base weights loaded once, generation one request at a time; adapters are switched, never merged.

    All methods block; call them from a thread. Weights load at the first generation.
    """

    def __init__(self, name: str, folder: Path, *, dtype: str = "auto", threads: int = 0) -> None:
        self.name = name
        self.folder = folder
        self._dtype = dtype
        self._threads = threads
        self._lock = threading.RLock()
        self._tokenizer_lock = threading.Lock()  # apart, so that counting never waits for a generation
        self._tokenizer: ChatTokenizer | None = None
        self._model: Any = None
        self._adapters: dict[str, str] = {}  # folder to the name that it is used by
        self._trees: AdapterTrees | None = None
        self._grammar_tokenizer: Any = None

    @property
    def tokenizer(self) -> ChatTokenizer:
        """The tokenizer; loading it does not load the weights."""
        with self._tokenizer_lock:
            if self._tokenizer is None:
                self._tokenizer = ChatTokenizer(self.folder)
            return self._tokenizer

    @property
    def is_loaded(self) -> bool:
        """Say whether the weights are in memory."""
        return self._model is not None

    def load(self) -> None:
        """Load the weights, if they are not loaded."""
        with self._lock:
            if self._model is not None:
                return
            import torch
            from transformers.utils import logging

            from kernel.chat.quantised import load_causal

            logging.disable_progress_bar()  # type: ignore[no-untyped-call]
            if self._threads:
                torch.set_num_threads(self._threads)
            device = "cuda" if torch.cuda.is_available() else "cpu"
            model: Any = load_causal(self.folder, dtype=choose_dtype(self._dtype, device))
            self._model = model.to(device).eval()

    def load_adapter(self, folder: Path) -> str:
        """Load an adapter over the base weights, once for as long as its files stay; return the name to generate with.

        Raises:
            UsageError: the adapter is broken, without effect, or made for another base.
        """
        with self._lock:
            key = f"{folder.resolve()}:{weights_stamp(folder)}"
            if key in self._adapters:
                return self._adapters[key]
            check_adapter(folder, base=self.name, base_folder=self.folder)
            self.load()
            from kernel.chat.adapter_trees import AdapterTrees

            if self._trees is None:
                self._trees = AdapterTrees(self._model, self.name)
            probe = self.tokenizer.encode_chat([{"role": "user", "content": "Hello"}])
            self._adapters[key] = self._trees.load(folder, probe)
            return self._adapters[key]

    def generate(
        self,
        messages: Sequence[Mapping[str, str]],
        sampling: Sampling,
        *,
        adapter: str | None = None,
        on_text: Callable[[str], None] | None = None,
        stop: threading.Event | None = None,
    ) -> Generation:
        """Generate the assistant's turn.

        Args:
            messages: `role` and `content` of each message.
            sampling: how tokens are chosen.
            adapter: a name from `load_adapter`; None is the base.
            on_text: called with each new piece of text, from this thread.
            stop: when set, generation ends within one token, as `cancelled`.

        Raises:
            TekioError: the prompt does not fit the model's window, or the model failed while it wrote.
        """
        ids = self.tokenizer.encode_chat(messages)
        with self._lock, self._failing_clearly():
            self._check_window(ids, sampling)
            if stop is not None and stop.is_set():
                return Generation("", len(ids), 0, FinishReason.CANCELLED, 0.0, 0.0)
            return self._generate(ids, sampling, adapter, on_text, stop)

    def generate_drafts(
        self,
        messages: Sequence[Mapping[str, str]],
        sampling: Sampling,
        count: int,
        *,
        adapter: str | None = None,
        stop: threading.Event | None = None,
    ) -> list[Generation]:
        """Generate several assistant's turns together, as one batch over one reading of the prompt.

        Raises:
            TekioError: as `generate`.
        """
        ids = self.tokenizer.encode_chat(messages)
        with self._lock, self._failing_clearly():
            self._check_window(ids, sampling)
            if stop is not None and stop.is_set():
                return [Generation("", len(ids), 0, FinishReason.CANCELLED, 0.0, 0.0)] * count
            if self._trees is not None and self._trees.is_before_prompt(
                adapter
            ):  # PEFT reads them one by one
                seeds = [None if sampling.seed is None else sampling.seed + number for number in range(count)]
                return [
                    self._generate(ids, replace(sampling, seed=seed), adapter, None, stop) for seed in seeds
                ]
            from kernel.chat.drafts import generate_drafts

            with self._with_adapter(adapter) as model:
                return generate_drafts(model, self.tokenizer, ids, sampling, count, stop)

    def log_likelihood(
        self, prompt: Sequence[int], continuation: Sequence[int], *, adapter: str | None = None
    ) -> float:
        """Return the logarithm of how likely some ids are behind others, in nats; the ids are the tokenizer's.

        Args:
            prompt: at least one id.
            continuation: what follows.
            adapter: a name from `load_adapter`; None is the base.
        """
        import torch

        logits = self._logits([*prompt, *continuation], len(prompt) - 1, len(continuation), adapter)
        targets = torch.tensor(list(continuation), device=logits.device)
        return -float(torch.nn.functional.cross_entropy(logits, targets, reduction="sum"))

    def likeliest_next(
        self, prompt: Sequence[int], among: Sequence[int], *, adapter: str | None = None
    ) -> int:
        """Return which of some ids is the likeliest behind a prompt.

        Args:
            prompt: at least one id.
            among: ids to choose from.
            adapter: a name from `load_adapter`; None is the base.
        """
        logits = self._logits(list(prompt), len(prompt) - 1, 1, adapter)[0]
        return max(among, key=lambda each: float(logits[each]))

    def _logits(self, ids: list[int], first: int, count: int, adapter: str | None) -> Any:
        """Return the logits of so many places, shape (count, vocabulary), in float32."""
        with self._lock, self._failing_clearly():
            self.load()
            import torch

            added = 0 if self._trees is None else self._trees.added_places(adapter)
            keep = torch.arange(added + first, added + first + count, device=self._model.device)
            inputs = torch.tensor([ids], device=self._model.device)
            with torch.inference_mode(), self._with_adapter(adapter) as model:
                return model(input_ids=inputs, logits_to_keep=keep).logits[0].float()

    def _check_window(self, ids: Sequence[int], sampling: Sampling) -> None:
        self.load()
        window = int(getattr(self._model.config, "max_position_embeddings", 0) or 1 << 30)
        if len(ids) + sampling.max_new_tokens > window:
            raise TekioError(
                f"the prompt of {len(ids)} tokens and an answer of {sampling.max_new_tokens} do not fit the "
                f"window of {window} tokens of {self.name}: ask with fewer passages"
            )

    @contextmanager
    def _failing_clearly(self) -> Iterator[None]:
        """Make one line of whatever torch raises while a model writes; what it wrote until then is no answer."""
        try:
            yield
        except TekioError:
            raise
        except Exception as error:  # torch and transformers raise many
            raise TekioError(
                f"the language model {self.name} failed while it wrote ({first_line(error)}): ask again, "
                "or with --variant extractive"
            ) from error

    def _generate(
        self,
        ids: list[int],
        sampling: Sampling,
        adapter: str | None,
        on_text: Callable[[str], None] | None,
        stop: threading.Event | None,
    ) -> Generation:
        import torch

        from kernel.chat.generation_hooks import HowLikely, StopOnEvent, StopOnLoop, TextCallback

        started = time.perf_counter()
        streamer = TextCallback(self.tokenizer.tokenizer, on_text)
        if sampling.seed is not None:
            torch.manual_seed(sampling.seed)
        with torch.inference_mode(), self._generating(adapter, ids) as (model, prompt, more):
            inputs = torch.tensor([prompt], device=model.device)
            within = self._within(sampling.grammar, prompt=len(prompt))
            how_likely = HowLikely()
            output = model.generate(
                input_ids=inputs,
                attention_mask=torch.ones_like(inputs),
                max_new_tokens=sampling.max_new_tokens,
                repetition_penalty=sampling.repetition_penalty,
                eos_token_id=self.tokenizer.stop_ids,
                pad_token_id=self.tokenizer.stop_ids[0],
                stopping_criteria=[StopOnEvent(stop), StopOnLoop(len(prompt))],
                streamer=streamer,
                **more,
                **sampling.choice(),
                logits_processor=[how_likely, *within],
            )
        new = output[0, len(prompt) :].tolist()
        reason, kept, written = how_it_ended(new, self.tokenizer.stop_ids, stop)
        seconds = time.perf_counter() - started
        first = (streamer.first_token_at or time.perf_counter()) - started
        likely = within[0].ended(output[0].tolist()) if within else None
        return Generation(
            self.tokenizer.decode(new[:kept]),
            len(ids),
            written,
            reason,
            first,
            seconds,
            log_probability=likely,
            # The scores that it sees are not the model's own where a penalty was put on them.
            mean_log_probability=how_likely.ended(new) if sampling.repetition_penalty == 1 else None,
        )

    def _within(self, grammar: str | None, *, prompt: int) -> list[Any]:
        """Return what holds a generation within a grammar."""
        if grammar is None:
            return []
        from kernel.chat.constrained import WithinGrammar
        from kernel.chat.grammar import GrammarMask, grammar_tokenizer

        if self._grammar_tokenizer is None:
            vocabulary = int(self._model.get_output_embeddings().weight.shape[0])
            self._grammar_tokenizer = grammar_tokenizer(self.tokenizer.tokenizer, vocabulary)
        mask = GrammarMask(self._grammar_tokenizer, grammar, self.tokenizer.stop_ids)
        return [WithinGrammar(mask, prompt=prompt)]

    def _generating(
        self, adapter: str | None, ids: list[int]
    ) -> AbstractContextManager[tuple[Any, list[int], dict[str, Any]]]:
        """Return the model that writes by an adapter or the base, the prompt's ids, and what else it takes."""
        if self._trees is None:
            return nullcontext((self._model, ids, {}))
        return self._trees.generating(adapter, ids)

    def _with_adapter(self, adapter: str | None) -> AbstractContextManager[Any]:
        """Return the model that answers by an adapter, or the base."""
        if self._trees is None:
            return nullcontext(self._model)
        return self._trees.using(adapter)


def choose_dtype(wanted: str, device: str) -> Any:
    """Return the torch dtype to load weights in.

    `auto` on a CPU measures one matrix product of a prompt in both: bfloat16 decodes faster everywhere, as it
    reads half the bytes, but without the processor's instructions for it a prompt takes six times as long.
    """
    import torch

    if wanted != "auto":
        return getattr(torch, wanted)
    if device == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    speed = {dtype: 1 / _product_seconds(dtype) for dtype in (torch.float32, torch.bfloat16)}
    return torch.bfloat16 if speed[torch.bfloat16] > _WORTHWHILE * speed[torch.float32] else torch.float32


def _product_seconds(dtype: Any) -> float:
    import torch

    rows, inner, columns = _PREFILL_SHAPE
    left, right = torch.rand(rows, inner).to(dtype), torch.rand(inner, columns).to(dtype)
    times = []
    for _ in range(4):
        started = time.perf_counter()
        torch.mm(left, right)
        times.append(time.perf_counter() - started)
    return min(times)
