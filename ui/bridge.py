"""An asynchronous facade for synchronous callers: one event loop in a thread of its own.

Streamlit runs every rerun of the page in another thread; models, locks and generators that belong to an
event loop need one that outlives them all.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from concurrent.futures import Future
from contextlib import aclosing
from typing import Any, TypeVar

T = TypeVar("T")
_PATIENCE_SECONDS = 0.5


class _End:
    """Marks the end of a stream, or carries what ended it."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


class Bridge:
    """Runs coroutines and asynchronous streams in a background event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tekio-loop", daemon=True)
        self._thread.start()

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Begin some work without waiting for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for some work and return what it returns, or raise what it raises."""
        return self.start(work).result()

    def iterate(self, make: Callable[[], AsyncGenerator[T, None]]) -> Generator[T, None, None]:
        """Iterate over an asynchronous stream. Closing the iterator cancels the stream.

        The stream is made and run within one task, as cancel scopes and context variables require.
        """
        items: queue.SimpleQueue[T | _End] = queue.SimpleQueue()

        async def pump() -> None:
            try:
                async with aclosing(make()) as stream:
                    async for item in stream:
                        items.put(item)
            except Exception as error:
                items.put(_End(error))
            else:
                items.put(_End())

        running = self.start(pump())
        try:
            while True:
                try:
                    item = items.get(timeout=_PATIENCE_SECONDS)
                except queue.Empty:  # wait on; in between, Windows gets a chance to deliver Ctrl-C
                    continue
                if not isinstance(item, _End):
                    yield item
                elif item.error is not None:
                    raise item.error
                else:
                    return
        finally:
            running.cancel()

    def close(self) -> None:
        """Cancel what runs, stop the loop and its thread."""
        if self._loop.is_closed():
            return

        async def cancel_all() -> None:
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self.call(cancel_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
