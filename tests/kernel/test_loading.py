"""Parts that are loaded beside each other."""

from __future__ import annotations

import threading

import pytest

from kernel.loading import Loading, is_under_way


def test_parts_are_loaded_beside_each_other_and_each_once() -> None:
    both, calls = threading.Barrier(2, timeout=10), []

    def load() -> None:
        calls.append(1)
        both.wait()  # returns only when the other part is being loaded too

    loading = Loading()
    begun = [loading.begin(name, load) for name in ("one", "other", "one")]
    for part in begun:
        part.result(10)
    assert begun[0] is begun[2]
    assert len(calls) == 2
    assert loading.begin("one", load) is begun[0]
    assert loading.is_done("one")
    assert not loading.is_done("third")


def test_a_part_that_failed_is_tried_again() -> None:
    loading, calls = Loading(), []

    def load() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise OSError("the disk is away")

    with pytest.raises(OSError, match="away"):
        loading.begin("part", load).result(10)
    assert not loading.is_done("part")
    loading.begin("part", load).result(10)
    assert loading.is_done("part")


def test_what_is_under_way_is_known() -> None:
    go = threading.Event()
    loading = Loading()
    begun = loading.begin("part", go.wait)
    assert is_under_way()
    assert loading.under_way("part") is begun
    assert loading.under_way("other") is None
    go.set()
    begun.result(10)
    assert loading.under_way("part") is None
