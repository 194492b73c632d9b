import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from retrieval.id_set import IdSet

ID = st.integers(0, 5000)


@given(st.sets(ID), st.lists(ID | st.integers(10**9, 10**12), max_size=50))
def test_a_set_holds_what_was_put_in_and_nothing_else(ids: set[int], asked: list[int]) -> None:
    held = IdSet(np.array(sorted(ids), np.int64))
    assert len(held) == len(ids)
    assert held.holds(np.array(asked, np.int64)).tolist() == [each in ids for each in asked]


@given(st.sets(ID), st.lists(ID, min_size=1, max_size=50))
def test_faiss_selects_the_same_ids(ids: set[int], asked: list[int]) -> None:
    held = IdSet(np.array(sorted(ids), np.int64))
    assert [held.selector.is_member(each) for each in asked] == [each in ids for each in asked]
