"""One request to a server and what came of it: pieces, silence, the end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing

import openai

from kernel.answer import FinishReason
from kernel.chat.chat_settings import StopSignal
from kernel.chat.generation import Generation, Sampling
from kernel.chat.remote.connection import Connector, Piece, models_of, pieces_of
from kernel.chat.remote.faults import CutError, SilentError
from kernel.chat.remote.place import Address, TimeLimits
from kernel.chat.remote.rounds import Rounds

_AFTERWARDS = 2.0
"""Seconds that are waited for what follows the end of an answer."""
_End = Exception | None
"""An error, or None where the server has said all that it says."""


class Attempt:
    """One request.

    Args:
        address: where to ask.
        limits: how long is waited.
        deadline: when all must be done, as `time.monotonic` gives it.
    """

    def __init__(self, address: Address, limits: TimeLimits, deadline: float) -> None:
        self.address = address
        self.models = ""
        self.reason = FinishReason.CANCELLED
        self._limits = limits
        self._deadline = deadline
        self._started = time.perf_counter()
        self._first: float | None = None
        self._rounds = Rounds()
        self._seen = self._texts = 0
        self._last = Piece()

    async def texts(
        self,
        connector: Connector,
        messages: Sequence[Mapping[str, str]],
        sampling: Sampling,
        stop: StopSignal,
    ) -> AsyncGenerator[str, None]:
        """Yield the text as it comes. The connection is closed with it, however it ends.

        Raises:
            SilentError: the server took too long.
            CutError: the answer broke off.
            NonsenseError: what came is no answer.
            openai.OpenAIError: the server was not reached, or refused.
        """
        loop = asyncio.get_running_loop()
        came: asyncio.Queue[Piece | _End] = asyncio.Queue()

        def stopped() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(came.put_nowait, None)

        # In a task of its own, so that a stop ends a wait for the server.
        reader = asyncio.create_task(self._read(connector, messages, sampling, came))
        stop.when_set(stopped)
        try:
            while not stop.is_set():
                piece = await self._next(came)
                if stop.is_set():
                    return
                if isinstance(piece, Exception):
                    raise piece
                if piece is None:
                    self.reason = self._ending()
                    return
                goes_round = self._take(piece)
                if piece.text:
                    yield piece.text
                if goes_round or self._texts > 2 * sampling.max_new_tokens + 16:  # deaf to the limit
                    self.reason = FinishReason.REPETITION if goes_round else FinishReason.LENGTH
                    return
        finally:
            reader.cancel()
            await asyncio.wait([reader])

    async def _read(
        self,
        connector: Connector,
        messages: Sequence[Mapping[str, str]],
        sampling: Sampling,
        came: asyncio.Queue[Piece | _End],
    ) -> None:
        try:
            async with connector.client(self.address) as client:
                try:
                    async with aclosing(pieces_of(client, self.address, messages, sampling)) as pieces:
                        async for piece in pieces:
                            came.put_nowait(piece)
                except openai.NotFoundError:
                    self.models = await models_of(client)
                    raise
        except Exception as error:
            came.put_nowait(error)
        else:
            came.put_nowait(None)

    async def _next(self, came: asyncio.Queue[Piece | _End]) -> Piece | _End:
        if self._last.finish_reason is not None:  # the counts may follow, or a connection that nobody closes
            try:
                async with asyncio.timeout(min(_AFTERWARDS, self._limits.between)):
                    item = await came.get()
            except TimeoutError:
                return None
            return None if isinstance(item, Exception) else item
        # Some servers send an empty piece before they read the prompt.
        begun = self._seen > 1
        seconds = self._limits.between if begun else self._limits.first
        waited_for = "further piece of its answer" if begun else "answer"
        left = self._deadline - time.monotonic()
        if left < seconds:
            seconds, waited_for = left, "whole answer"
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                item = await came.get()
        except TimeoutError as error:
            span = self._limits.whole if waited_for == "whole answer" else seconds
            raise SilentError(waited_for, span) from error
        if isinstance(item, openai.APIConnectionError) and self._seen:
            raise CutError(self._where()) from item
        return item

    def _take(self, piece: Piece) -> bool:
        """Take a piece; say whether the text goes round in circles."""
        self._seen += 1
        if piece.text:
            self._texts += 1
            self._first = self._first or time.perf_counter()
        self._last = Piece(
            finish_reason=piece.finish_reason or self._last.finish_reason,
            prompt_tokens=piece.prompt_tokens or self._last.prompt_tokens,
            completion_tokens=piece.completion_tokens or self._last.completion_tokens,
        )
        return self._rounds.add(piece.text)

    def _ending(self) -> FinishReason:
        if self._last.finish_reason is not None:
            return self._last.finish_reason
        raise CutError(self._where())

    def _where(self) -> str:
        return "in the middle of its answer" if self._texts else "before its answer began"

    def generation(self, prompt_tokens: int) -> Generation:
        """Return what was made; where the server did not count, each piece counts as a token.

        Args:
            prompt_tokens: of the prompt, as counted here.
        """
        now, text = time.perf_counter(), self._rounds.once()
        whole = len(text) == len(self._rounds.text)
        return Generation(
            text=text,
            prompt_tokens=self._last.prompt_tokens or prompt_tokens,
            completion_tokens=self._last.completion_tokens or self._texts,
            finish_reason=self.reason if whole else FinishReason.REPETITION,
            seconds_to_first_token=(self._first or now) - self._started,
            seconds=now - self._started,
        )
