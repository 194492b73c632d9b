"""One stream for all who ask the same at once; whoever leaves takes nobody down."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from kernel.single_flight import SingleFlight


class Source:
    """A stream that counts how often it was made and whether it was cancelled."""

    def __init__(self, items: int = 3, error: Exception | None = None) -> None:
        self.made = self.cancelled = 0
        self.may_go_on = asyncio.Event()
        self.error = error
        self.items = items

    async def __call__(self) -> AsyncGenerator[int, None]:
        self.made += 1
        try:
            yield 0
            await self.may_go_on.wait()
            for number in range(1, self.items):
                await asyncio.sleep(0)
                yield number
            if self.error is not None:
                raise self.error
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled += 1
            raise


async def all_of(flights: SingleFlight[int], source: Source, key: str = "k") -> list[int]:
    return [item async for item in flights.follow(key, source)]


async def test_ten_at_once_are_made_once_and_each_gets_everything() -> None:
    flights, source = SingleFlight[int](), Source()
    asking = [asyncio.create_task(all_of(flights, source)) for _ in range(10)]
    await asyncio.sleep(0.01)
    source.may_go_on.set()
    assert await asyncio.gather(*asking) == [[0, 1, 2]] * 10
    assert (source.made, source.cancelled) == (1, 0)
    assert not flights.is_under_way("k")


async def test_one_that_comes_late_gets_what_came_before_too() -> None:
    flights, source = SingleFlight[int](), Source()
    first = asyncio.create_task(all_of(flights, source))
    await asyncio.sleep(0.01)
    late = asyncio.create_task(all_of(flights, source))
    await asyncio.sleep(0.01)
    source.may_go_on.set()
    assert await late == await first == [0, 1, 2]
    assert source.made == 1


async def test_whoever_began_it_may_leave_and_the_others_stay() -> None:
    flights, source = SingleFlight[int](), Source()
    leader = asyncio.create_task(all_of(flights, source))
    await asyncio.sleep(0.01)
    other = asyncio.create_task(all_of(flights, source))
    await asyncio.sleep(0.01)
    leader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leader
    source.may_go_on.set()
    assert await other == [0, 1, 2]
    assert (source.made, source.cancelled) == (1, 0)


async def test_when_the_last_has_left_the_stream_is_cancelled_and_the_next_begins_anew() -> None:
    flights, source = SingleFlight[int](), Source()
    async with aclosing(flights.follow("k", source)) as items:
        assert await anext(items) == 0
    assert source.cancelled == 1
    source.may_go_on.set()
    assert await all_of(flights, source) == [0, 1, 2]
    assert source.made == 2


async def test_an_error_reaches_all_and_is_not_kept() -> None:
    flights, source = SingleFlight[int](), Source(error=ValueError("broken"))
    asking = [asyncio.create_task(all_of(flights, source)) for _ in range(3)]
    await asyncio.sleep(0.01)
    source.may_go_on.set()
    ended = await asyncio.gather(*asking, return_exceptions=True)
    assert [str(error) for error in ended] == ["broken"] * 3
    source.error = None
    assert await all_of(flights, source) == [0, 1, 2]


async def test_other_keys_are_other_streams() -> None:
    flights, source = SingleFlight[int](), Source()
    source.may_go_on.set()
    await asyncio.gather(all_of(flights, source, "a"), all_of(flights, source, "b"))
    assert source.made == 2
