import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from retrieval.fusion import reciprocal_rank_fusion, weighted_fusion


def test_what_both_rankings_hold_comes_first() -> None:
    fused = reciprocal_rank_fusion([["a", "b"], ["b", "c"]])
    assert [item for item, _ in fused] == ["b", "a", "c"]


def test_one_ranking_is_kept_as_it_is() -> None:
    assert [item for item, _ in reciprocal_rank_fusion([["c", "a", "b"]])] == ["c", "a", "b"]


def test_a_weak_keyword_match_does_not_overturn_a_clear_similarity() -> None:
    legs = {"dense": np.array([0.3, 0.1], np.float32), "keyword": np.array([0.0, 0.05], np.float32)}
    assert int(weighted_fusion(legs, {"dense": 1.0, "keyword": 0.5}).argmax()) == 0


def test_a_full_keyword_match_does() -> None:
    legs = {"dense": np.array([0.2, 0.1], np.float32), "keyword": np.array([0.0, 0.9], np.float32)}
    assert int(weighted_fusion(legs, {"dense": 1.0, "keyword": 0.5}).argmax()) == 1


@given(arrays(np.float32, st.integers(1, 20), elements=st.floats(-1, 1, width=32)))
def test_a_leg_without_weight_changes_nothing(scores: NDArray[np.float32]) -> None:
    both = {"dense": scores, "keyword": scores[::-1].copy()}
    assert np.array_equal(weighted_fusion(both, {"dense": 1.0}), scores)
