"""How one request to a chat service is generated, whichever engine answers it, and how it is ended early."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from typing import Annotated, Any

from pydantic import Field
from semantic_kernel.connectors.ai.prompt_execution_settings import PromptExecutionSettings

from kernel.chat.generation import Generation, Sampling


class StopSignal(threading.Event):
    """Ends one request. It stays itself when the settings that hold it are copied, as they are on every call.

    It tells what became of the request too, for a caller that was cancelled: `made`, once it has ended.
    """

    def __init__(self) -> None:
        super().__init__()
        self.made: Generation | None = None
        self._under_way: Future[Generation] | None = None
        self._told: list[Callable[[], None]] = []

    def set(self) -> None:
        """End the request. Whoever waits for another machine is told, since nothing looks at the signal meanwhile."""
        super().set()
        for tell in tuple(self._told):
            tell()

    def when_set(self, tell: Callable[[], None]) -> None:
        """Have a function called once the signal is set, from the thread that sets it; at once where it is already."""
        self._told.append(tell)
        if self.is_set():
            tell()

    def watch(self, under_way: Future[Generation]) -> None:
        """Follow a request that an engine has begun."""
        self._under_way = under_way
        under_way.add_done_callback(self._note)

    def wait_ended(self, seconds: float) -> None:
        """Wait for the engine, if it is at work on the request. Blocks."""
        if self._under_way is not None:
            wait_for([self._under_way], seconds)

    def _note(self, done: Future[Generation]) -> None:
        if not done.cancelled() and done.exception() is None:
            self.made = done.result()

    def __deepcopy__(self, memo: dict[int, Any]) -> StopSignal:
        return self


class GenerationSettings(PromptExecutionSettings):
    """How a request is generated; temperature 0 is greedy. `stop`, of one request, ends it within a token.

    Of several `drafts`, which are not streamed, each is a message.
    `grammar`, of the package llguidance, is what the text is held within; None leaves it free.
    `about` is the question that is answered, for a service that weighs members by its kind.
    """

    max_new_tokens: Annotated[int, Field(ge=1)] = 160
    temperature: Annotated[float, Field(ge=0.0, le=2.0)] = 0.0
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    repetition_penalty: Annotated[float, Field(ge=1.0, le=2.0)] = 1.0
    seed: int | None = None
    drafts: Annotated[int, Field(ge=1, le=10)] = 1
    grammar: str | None = None
    about: str = ""
    stop: Annotated[StopSignal | None, Field(exclude=True)] = None

    def sampling(self) -> Sampling:
        """Return the settings as an engine takes them."""
        return Sampling(
            self.max_new_tokens,
            self.temperature,
            self.top_p,
            self.repetition_penalty,
            self.seed,
            self.grammar,
        )
