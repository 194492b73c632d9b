"""What is kept of the last computations, and what goes when there is no more room."""

import threading

from hypothesis import given
from hypothesis import strategies as st

from retrieval.remembered import Remembered


def test_the_least_recently_used_goes_first() -> None:
    kept: Remembered[str, int] = Remembered(2)
    kept.put("a", 1)
    kept.put("b", 2)
    assert kept.get("a") == 1
    kept.put("c", 3)
    assert (kept.get("a"), kept.get("b"), kept.get("c")) == (1, None, 3)
    assert (kept.hits, kept.misses) == (3, 1)


def test_nothing_is_kept_without_room_and_nothing_larger_than_the_room() -> None:
    assert Remembered[str, int](0).of("a", lambda: 1) == 1
    kept: Remembered[str, bytes] = Remembered(10, len)
    kept.put("large", b"x" * 11)
    assert kept.get("large") is None


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 6)), max_size=60))
def test_the_sizes_never_add_up_to_more_than_the_bound(puts: list[tuple[int, int]]) -> None:
    kept: Remembered[int, int] = Remembered(12, lambda value: value)
    last: dict[int, int] = {}
    for key, value in puts:
        kept.put(key, value)
        last[key] = value
        held = {each: found for each in range(10) if (found := kept.get(each)) is not None}
        assert sum(held.values()) == kept.size <= 12
        assert all(last[each] == found for each, found in held.items())


def test_threads_do_not_disturb_one_another() -> None:
    kept: Remembered[int, int] = Remembered(8)

    def work(seed: int) -> None:
        for number in range(500):
            key = (number * seed) % 20
            assert kept.of(key, lambda key=key: key * 10) == key * 10  # type: ignore[misc]

    threads = [threading.Thread(target=work, args=(seed,)) for seed in (3, 7, 11)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kept) == kept.size == 8
