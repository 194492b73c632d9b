"""The bridge from synchronous callers to an asynchronous stream."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Iterator

import pytest

from ui.bridge import Bridge


@pytest.fixture
def bridge() -> Iterator[Bridge]:
    made = Bridge()
    yield made
    made.close()


def test_items_come_in_order_and_errors_come_through(bridge: Bridge) -> None:
    async def stream() -> AsyncGenerator[int, None]:
        yield 1
        yield 2
        raise ValueError("broken")

    got: list[int] = []
    with pytest.raises(ValueError, match="broken"):
        got.extend(iter_into(got, bridge.iterate(stream)))
    assert got == [1, 2]


def iter_into(got: list[int], items: Iterator[int]) -> list[int]:
    for item in items:
        got.append(item)
    return []


def test_closing_the_iterator_cancels_the_stream(bridge: Bridge) -> None:
    ended = threading.Event()

    async def stream() -> AsyncGenerator[int, None]:
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            ended.set()

    items = bridge.iterate(stream)
    assert next(items) == 1
    assert not ended.is_set()
    items.close()
    assert ended.wait(5)


def test_all_work_runs_in_one_loop(bridge: Bridge) -> None:
    async def loop_id() -> int:
        return id(asyncio.get_running_loop())

    assert bridge.call(loop_id()) == bridge.call(loop_id())


def test_closing_the_bridge_cancels_what_runs() -> None:
    bridge = Bridge()
    ended = threading.Event()

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def nothing() -> None:
        await asyncio.sleep(0)

    bridge.start(forever())
    bridge.call(nothing())
    bridge.close()
    assert ended.is_set()
    bridge.close()  # again does nothing
