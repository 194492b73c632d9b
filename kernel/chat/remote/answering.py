"""An answer of a model on a server, and when the server is asked for it again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from kernel.answer import FinishReason
from kernel.answering.run import PromptCounter
from kernel.chat.chat_settings import StopSignal
from kernel.chat.generation import Generation, Sampling
from kernel.chat.remote.attempt import Attempt
from kernel.chat.remote.breaker import CircuitBreaker
from kernel.chat.remote.connection import Connector
from kernel.chat.remote.faults import fault_of
from kernel.chat.remote.place import Place, TimeLimits

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 8.0


@dataclass(frozen=True, slots=True)
class Remote:
    """A model on a server.

    Attributes:
        place: where it is.
        breaker: of the server.
        limits: how long is waited.
        window: tokens of a prompt and its answer together.
        retries: times that a request is sent again of which nothing was given on.
        counter: counts the tokens of a prompt.
    """

    place: Place
    breaker: CircuitBreaker
    limits: TimeLimits
    window: int
    retries: int
    counter: PromptCounter


class Answering:
    """One answer. It is asked for again only while nothing of it was given on, so that none is given twice.

    Args:
        remote: the model.
        connector: makes connections.
        messages: `role` and `content` of each, as they are sent.
        sampling: how tokens are chosen.
        stop: ends it at once, as cancelled, and closes the connection.
    """

    def __init__(
        self,
        remote: Remote,
        connector: Connector,
        messages: Sequence[Mapping[str, str]],
        sampling: Sampling,
        stop: StopSignal,
    ) -> None:
        self._remote = remote
        self._connector = connector
        self._messages = [dict(message) for message in messages]
        self._sampling = sampling
        self._stop = stop
        self.made: Generation | None = None

    async def whole(self) -> Generation:
        """Return the answer; one that breaks off is asked for again. Raises as `pieces` does."""
        async with aclosing(self.pieces(streams=False)) as pieces:
            async for _ in pieces:
                pass
        assert self.made is not None
        return self.made

    async def pieces(self, *, streams: bool = True) -> AsyncGenerator[str, None]:
        """Yield the answer's text as it comes; `made` is set at the end, also where the caller leaves.

        Args:
            streams: whether the caller gives the pieces on.

        Raises:
            BusyError: the server has too much to do, or is left alone after failures.
            UsageError: the server does not take such a request.
            TekioError: the server is not there, fell silent, or broke off.
        """
        breaker = self._remote.breaker
        breaker.enter()
        settled = False
        deadline = 0.0
        try:
            prompt_tokens = await asyncio.to_thread(self._remote.counter.count, self._messages)
            room = max(1, min(self._sampling.max_new_tokens, self._remote.window - prompt_tokens))
            sampling = replace(self._sampling, max_new_tokens=room)
            for number in range(self._remote.retries + 1):
                address = await asyncio.to_thread(self._remote.place.ready)
                # Counted from when there is a server: one of this machine may have to load its model first.
                deadline = deadline or time.monotonic() + self._remote.limits.whole
                attempt, given = Attempt(address, self._remote.limits, deadline), False
                try:
                    async with aclosing(
                        attempt.texts(self._connector, self._messages, sampling, self._stop)
                    ) as texts:
                        async for text in texts:
                            given = streams
                            yield text
                except Exception as error:
                    fault = fault_of(error, self._remote.place.name, address, attempt.models)
                    if fault.silent:
                        await asyncio.to_thread(self._remote.place.hung)
                    pause = min(_FIRST_PAUSE * 2**number, _LONGEST_PAUSE)
                    in_time = time.monotonic() + pause < deadline
                    if fault.again and not given and in_time and number < self._remote.retries:
                        await asyncio.sleep(pause)
                        continue
                    if fault.broken:
                        breaker.failed(str(fault.error))
                        settled = True
                    raise fault.error from error
                except BaseException:  # the caller left
                    self._keep(attempt, prompt_tokens)
                    raise
                self._keep(attempt, prompt_tokens)
                if attempt.reason is not FinishReason.CANCELLED:
                    breaker.worked()
                    settled = True
                return
        finally:
            if not settled:
                breaker.left()

    def _keep(self, attempt: Attempt, prompt_tokens: int) -> None:
        self.made = self._stop.made = attempt.generation(prompt_tokens)
