"""The same stream asked for several times at once is made once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Hashable
from contextlib import aclosing
from typing import Generic, TypeVar

T = TypeVar("T")


class _Flight(Generic[T]):
    """A stream under way: what came so far, for all who follow it."""

    def __init__(self) -> None:
        self.items: list[T] = []
        self.error: Exception | None = None
        self.is_done = False
        self.followers = 0
        self.task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()

    def tell(self) -> None:
        """Wake those who wait."""
        self._news.set()
        self._news = asyncio.Event()

    async def news(self) -> None:
        """Wait for more to come."""
        await self._news.wait()


class SingleFlight(Generic[T]):
    """Makes streams in tasks of their own, one for each key at a time, and lets any number follow.

    Whoever begins one is a follower like the others: it may leave, and the stream goes on for those that stay. When
    the last has left, the stream is cancelled and waited for.
    """

    def __init__(self) -> None:
        self._under_way: dict[Hashable, _Flight[T]] = {}

    def is_under_way(self, key: Hashable) -> bool:
        """Say whether a stream is being made in this event loop."""
        return (id(asyncio.get_running_loop()), key) in self._under_way

    async def follow(
        self, key: Hashable, make: Callable[[], AsyncGenerator[T, None]]
    ) -> AsyncGenerator[T, None]:
        """Yield the items of the stream of a key from its first on, making it unless it is under way.

        Raises:
            Exception: what ended the stream, for every follower.
        """
        key = (id(asyncio.get_running_loop()), key)
        flight = self._under_way.get(key)
        if flight is None:
            flight = self._under_way[key] = _Flight()
            flight.task = asyncio.create_task(self._fly(key, flight, make))
        flight.followers += 1
        place = 0
        try:
            while True:
                for item in flight.items[place:]:
                    place += 1
                    yield item
                if place < len(flight.items):
                    continue
                if flight.is_done:
                    if flight.error is not None:
                        raise flight.error
                    return
                await flight.news()
        finally:
            flight.followers -= 1
            if not flight.followers and not flight.is_done:
                self._land(key, flight)
                assert flight.task is not None
                flight.task.cancel()
                await asyncio.wait({flight.task})

    async def _fly(
        self, key: Hashable, flight: _Flight[T], make: Callable[[], AsyncGenerator[T, None]]
    ) -> None:
        try:
            async with aclosing(make()) as items:
                async for item in items:
                    flight.items.append(item)
                    flight.tell()
        except Exception as error:
            flight.error = error
        finally:
            self._land(key, flight)
            flight.is_done = True
            flight.tell()

    def _land(self, key: Hashable, flight: _Flight[T]) -> None:
        if self._under_way.get(key) is flight:
            del self._under_way[key]
