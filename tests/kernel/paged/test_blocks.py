"""The blocks of the cache: nothing is lost, nothing is held twice, and what is found is what was read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.chat.paged.blocks import BlockPool

SIZE = 4


def read(pool: BlockPool, ids: list[int], adapter: str = "") -> list[int] | None:
    """Hold the blocks of a text as the engine does: those that are known, and fresh ones that are named."""
    names = pool.names(ids, adapter)
    found = pool.find(names)
    fresh = pool.take(-(-len(ids) // SIZE) - len(found))
    if fresh is None:
        pool.release(found)
        return None
    blocks = [*found, *fresh]
    for block, name in list(zip(blocks, names, strict=False))[len(found) :]:
        pool.name(block, name)
    return blocks


def test_what_was_read_is_found_again_by_a_text_that_begins_alike() -> None:
    pool = BlockPool(8, SIZE)
    first = read(pool, [*range(10)])
    assert first is not None
    pool.release(first)
    again = pool.find(pool.names([*range(8), 99, 98, 97, 96], ""))
    assert again == first[:2]


def test_the_same_tokens_behind_others_are_something_else() -> None:
    pool = BlockPool(8, SIZE)
    read(pool, [1, 2, 3, 4, 5, 6, 7, 8])
    assert pool.find(pool.names([9, 9, 9, 9, 5, 6, 7, 8], "")) == []


def test_what_one_adapter_read_is_not_another_ones() -> None:
    pool = BlockPool(8, SIZE)
    read(pool, [1, 2, 3, 4], adapter="one")
    assert pool.find(pool.names([1, 2, 3, 4], "two")) == []
    assert pool.find(pool.names([1, 2, 3, 4], "")) == []
    assert len(pool.find(pool.names([1, 2, 3, 4], "one"))) == 1


def test_blocks_that_are_held_are_never_given_away() -> None:
    pool = BlockPool(2, SIZE)
    assert read(pool, [*range(8)]) is not None
    assert pool.take(1) is None


def test_what_was_used_longest_ago_makes_room_first() -> None:
    pool = BlockPool(2, SIZE)
    for text in ([1] * 4, [2] * 4):
        blocks = read(pool, text)
        assert blocks is not None
        pool.release(blocks)
    pool.release(pool.find(pool.names([1] * 4, "")))
    assert pool.take(1) is not None
    assert pool.find(pool.names([2] * 4, "")) == []
    assert len(pool.find(pool.names([1] * 4, ""))) == 1


def test_the_end_of_a_text_makes_room_before_its_beginning() -> None:
    pool = BlockPool(3, SIZE)
    blocks = read(pool, [*range(12)])
    assert blocks is not None
    pool.release(blocks)
    pool.take(1)
    assert pool.find(pool.names([*range(12)], "")) == blocks[:2]


def test_what_may_be_damaged_is_not_found_any_more() -> None:
    pool = BlockPool(2, SIZE)
    blocks = read(pool, [1] * 4)
    assert blocks is not None
    pool.release(blocks)
    pool.clear()
    assert pool.find(pool.names([1] * 4, "")) == []
    assert pool.available == 2


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_block_is_lost_or_held_by_two_that_read_different_texts(data: Any) -> None:
    pool = BlockPool(6, SIZE)
    held: list[tuple[tuple[int, ...], list[int]]] = []
    for _ in range(data.draw(st.integers(1, 20))):
        if held and data.draw(st.booleans()):
            _, blocks = held.pop(data.draw(st.integers(0, len(held) - 1)))
            pool.release(blocks)
        else:
            text = data.draw(st.lists(st.integers(0, 1), min_size=1, max_size=14))
            found = read(pool, text)
            if found is not None:
                held.append((tuple(text), found))
        content: dict[int, tuple[int, ...]] = {}
        for text, blocks in held:
            for number, block in enumerate(blocks):
                stands = text[: (number + 1) * SIZE]
                if block in content:
                    assert content[block] == stands
                    assert len(stands) == (number + 1) * SIZE
                content[block] = stands
        assert pool.available == pool.count - len(content)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_as_many_blocks_are_given_as_are_asked_for(count: int) -> None:
    taken = BlockPool(3, SIZE).take(count)
    assert taken is not None
    assert len(set(taken)) == count
