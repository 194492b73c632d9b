"""Encoder-decoder models such as T5, by transformers in a thread of their own: members of another architecture.

They know no roles: the messages are given as one text. What stands in a document cannot end it, since special tokens in
it are spelled out.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from kernel.chat.generation import Generation, Sampling, how_it_ended
from retrieval.errors import TekioError, UsageError, first_line
from retrieval.model_building import building_in_turn


class Seq2SeqGenerator:
    """An encoder-decoder model as a `Generator`; its weights are loaded by the first request."""

    def __init__(self, name: str, folder: Path, *, window: int) -> None:
        """Take a model folder. `window` is the most tokens of a prompt.

        Raises:
            UsageError: the folder holds no encoder-decoder model.
        """
        self.name, self._folder, self._window = name, folder, window
        self._check()
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="encoder-decoder")
        self._lock = threading.Lock()
        self._tokenizer: Any = None
        self._model: Any = None

    def count(self, messages: Sequence[Mapping[str, str]]) -> int:
        """Return the exact number of tokens of the prompt."""
        return len(self._ids(messages))

    def start(
        self,
        messages: Sequence[Mapping[str, str]],
        sampling: Sampling,
        *,
        adapter: str | None = None,
        on_text: Callable[[str], None] | None = None,
        stop: threading.Event | None = None,
        user: str = "",
    ) -> Future[Generation]:
        """Begin to write an answer, see `Generator`."""
        return self._executor.submit(self._generate, messages, sampling, on_text, stop)

    def start_drafts(
        self,
        messages: Sequence[Mapping[str, str]],
        sampling: Sampling,
        count: int,
        *,
        adapter: str | None = None,
        stop: threading.Event | None = None,
        user: str = "",
    ) -> Future[list[Generation]]:
        """Begin to write several answers, see `Generator`."""
        return self._executor.submit(
            lambda: [self._generate(messages, sampling, None, stop, number) for number in range(count)]
        )

    def state(self) -> None:
        """Tell nothing of what is under way, which `close` leaves to its end."""

    def close(self) -> None:
        """End what waits."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _check(self) -> None:
        import json

        try:
            config = json.loads((self._folder / "config.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UsageError(f"{self._folder} is no model folder: its config.json cannot be read") from error
        if not config.get("is_encoder_decoder"):
            raise UsageError(
                f"{self.name} is no encoder-decoder model ({config.get('model_type', 'unknown')}): name one, such as a "
                "T5, or use it as the generator"
            )

    def _load_tokenizer(self) -> Any:
        with self._lock:
            if self._tokenizer is None:
                from transformers import AutoTokenizer

                self._tokenizer = AutoTokenizer.from_pretrained(self._folder, local_files_only=True)
            return self._tokenizer

    def _ids(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        text = "\n\n".join(item["content"] for item in messages)
        ids: list[int] = self._load_tokenizer()(text, split_special_tokens=True)["input_ids"]
        return ids

    def _load(self) -> Any:
        if self._model is None:
            import torch
            from transformers import AutoModelForSeq2SeqLM

            with building_in_turn():
                model: Any = AutoModelForSeq2SeqLM.from_pretrained(
                    self._folder, dtype=torch.float32, local_files_only=True
                )
            self._model = model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
        return self._model

    def _generate(
        self,
        messages: Sequence[Mapping[str, str]],
        sampling: Sampling,
        on_text: Callable[[str], None] | None,
        stop: threading.Event | None,
        number: int = 0,
    ) -> Generation:
        try:
            return self._write(messages, sampling, on_text, stop, number)
        except TekioError:
            raise
        except Exception as error:  # torch and transformers raise many
            raise TekioError(
                f"the model {self.name} failed while it wrote ({first_line(error)}): ask again, or another variant"
            ) from error

    def _write(
        self,
        messages: Sequence[Mapping[str, str]],
        sampling: Sampling,
        on_text: Callable[[str], None] | None,
        stop: threading.Event | None,
        number: int,
    ) -> Generation:
        import torch

        from kernel.chat.generation_hooks import StopOnEvent, StopOnLoop, TextCallback

        if sampling.grammar is not None:
            raise UsageError(f"{self.name} cannot be held within a schema: use the base model for it")
        started = time.perf_counter()
        ids, model, tokenizer = self._ids(messages), self._load(), self._load_tokenizer()
        if len(ids) > self._window:
            raise UsageError(
                f"the prompt of {len(ids)} tokens does not fit the window of {self._window} tokens of {self.name}: "
                "ask with fewer passages"
            )
        if sampling.seed is not None:
            torch.manual_seed(sampling.seed + number)
        streamer = TextCallback(tokenizer, on_text)
        inputs = torch.tensor([ids], device=model.device)
        with torch.inference_mode():
            output = model.generate(
                input_ids=inputs,
                attention_mask=torch.ones_like(inputs),
                max_new_tokens=sampling.max_new_tokens,
                num_beams=1,
                repetition_penalty=sampling.repetition_penalty,
                stopping_criteria=[StopOnEvent(stop), StopOnLoop(1)],
                streamer=streamer,
                **sampling.choice(),
            )
        new = output[0, 1:].tolist()  # the first starts the decoder
        reason, kept, written = how_it_ended(new, [tokenizer.eos_token_id], stop)
        seconds = time.perf_counter() - started
        first = (streamer.first_token_at or time.perf_counter()) - started
        text = str(tokenizer.decode(new[:kept], skip_special_tokens=True))
        return Generation(text, len(ids), written, reason, first, seconds)
