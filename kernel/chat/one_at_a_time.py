"""A language model that answers one request after the other, in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from kernel.chat.generation import Generation, Sampling
from kernel.chat.language_model import LanguageModel


class OneAtATime:
    """transformers' own generation as a `Generator`: every kind of adapter, no batches, no waiting-list."""

    def __init__(self, model: LanguageModel, executor: ThreadPoolExecutor) -> None:
        """Take a model and the one thread that works on it."""
        self.name = model.name
        self.model = model
        self._executor = executor

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
        """Begin to write a turn, see `Generator`."""
        return self._executor.submit(
            self.model.generate, messages, sampling, adapter=adapter, on_text=on_text, stop=stop
        )

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
        """Begin to write several turns, see `Generator`."""
        return self._executor.submit(
            self.model.generate_drafts, messages, sampling, count, adapter=adapter, stop=stop
        )
