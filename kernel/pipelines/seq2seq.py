"""Sequence-to-sequence models such as MarianMT and T5, which translate and can do nothing else.

Nothing of transformers is imported before one is used.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kernel.answering.run import Variant
from kernel.model_store import ResolvedModel
from retrieval.errors import TekioError, UsageError, first_line
from retrieval.model_building import building_in_turn

_MOST_TOKENS = 480
"""Of a piece where the model does not say how much it reads; MarianMT's positions end at 512."""
_TOGETHER = 8
_SENTENCEPIECE = "pip install 'tekio[translation]'"


@dataclass(frozen=True, slots=True)
class Translated:
    """A translation, the tokens that were read and written for it, and whether it came to its own end."""

    text: str
    read: int
    written: int
    is_whole: bool


class Translator:
    """One model. `translate` and `count` block; both are called from threads, and one translation runs at a time."""

    def __init__(self, name: str, folder: Path) -> None:
        """Take a model's folder; nothing is loaded yet."""
        self.name, self._folder = name, folder
        self._lock = threading.Lock()
        self._tokenizer: Any = None
        self._model: Any = None

    @property
    def most_tokens(self) -> int:
        """How many tokens it reads at once."""
        self._load()
        return min(_MOST_TOKENS, self._positions - 4)

    @property
    def _positions(self) -> int:
        """How many places a text may have; models that count from place to place say none."""
        return int(getattr(self._model.config, "max_position_embeddings", None) or 1 << 20)

    def count(self, text: str) -> int:
        """Count the tokens of a text."""
        self._load()
        return len(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def translate(self, texts: Sequence[str], stop: threading.Event) -> list[Translated]:
        """Return each text's translation.

        Args:
            texts: each within `most_tokens`.
            stop: when set, it ends within a token.

        Raises:
            TekioError: the model failed.
        """
        self._load()
        made: list[Translated] = []
        for start in range(0, len(texts), _TOGETHER):
            try:
                made += self._batch(texts[start : start + _TOGETHER], stop)
            except Exception as error:  # torch and transformers raise many
                raise TekioError(
                    f"the model {self.name} failed while it translated ({first_line(error)})"
                ) from error
        return made

    def _batch(self, texts: Sequence[str], stop: threading.Event) -> list[Translated]:
        import torch

        from kernel.chat.generation_hooks import StopOnEvent

        with self._lock, torch.inference_mode():
            inputs = self._tokenizer(list(texts), return_tensors="pt", padding=True, truncation=True)
            inputs.pop("token_type_ids", None)
            read = inputs["attention_mask"].sum(dim=1).tolist()
            most = min(2 * max(read) + 32, self._positions - 2)
            written = self._model.generate(
                **inputs.to(self._model.device),
                max_new_tokens=most,
                do_sample=False,
                stopping_criteria=[StopOnEvent(stop)],
            )
        texts = self._tokenizer.batch_decode(written, skip_special_tokens=True)
        counts = (written != self._tokenizer.pad_token_id).sum(dim=1).tolist()
        return [
            Translated(text.strip(), int(before), int(count), int(count) < most)
            for text, before, count in zip(texts, read, counts, strict=True)
        ]

    def _load(self) -> None:
        with self._lock:
            if self._model is not None:
                return
            from transformers import AutoModelForSeq2SeqLM, AutoTokenizer
            from transformers.utils import logging

            logging.disable_progress_bar()  # type: ignore[no-untyped-call]
            try:
                tokenizer = AutoTokenizer.from_pretrained(self._folder, local_files_only=True)
                with building_in_turn():
                    model: Any = AutoModelForSeq2SeqLM.from_pretrained(
                        self._folder, local_files_only=True, use_safetensors=True
                    )
            except Exception as error:  # a foreign folder may be wrong in any way
                hint = f": {_SENTENCEPIECE}" if "sentencepiece" in str(error).lower() else ""
                raise UsageError(
                    f"the model {self.name} is none that translates, or its files (safetensors) cannot be read "
                    f"({first_line(error)}){hint}"
                ) from error
            import torch

            self._tokenizer = tokenizer
            self._model = model.to("cuda" if torch.cuda.is_available() else "cpu").eval()


class Translators:
    """The models that pipelines name, each loaded when it is first needed and kept."""

    def __init__(self, find: Callable[[str], ResolvedModel]) -> None:
        """Make it; `find` gives a model's folder, fetching it where it may."""
        self._find = find
        self._lock = threading.Lock()
        self._held: dict[str, Translator] = {}
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="translator")

    def of(self, name: str) -> Translator:
        """Return a model by its name or folder. Blocks.

        Raises:
            TekioError: it is not there.
        """
        with self._lock:
            if name not in self._held:
                self._held[name] = Translator(name, self._find(name).folder)
            return self._held[name]

    def revision(self, name: str) -> str:
        """Return what changes with a model's files. Blocks."""
        return self._find(name).revision

    async def run(self, name: str, texts: Sequence[str]) -> list[Translated]:
        """Translate texts by a model; whoever leaves ends it."""
        translator = await asyncio.to_thread(self.of, name)
        stop = threading.Event()
        working = asyncio.get_running_loop().run_in_executor(
            self._executor, translator.translate, texts, stop
        )
        try:
            return await asyncio.shield(working)
        finally:
            stop.set()

    def close(self) -> None:
        """End what is under way."""
        self._executor.shutdown(wait=False, cancel_futures=True)


NOBODY = Variant("")
"""Who writes a step that has a model of its own, or none."""
