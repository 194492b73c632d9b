import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from retrieval.fusion import reciprocal_rank_fusion, spread, weighted_fusion


def test_what_both_rankings_hold_comes_first() -> None:
    fused = reciprocal_rank_fusion([["a", "b"], ["b", "c"]])
    assert [item for item, _ in fused] == ["b", "a", "c"]


def test_one_ranking_is_kept_as_it_is() -> None:
    assert [item for item, _ in reciprocal_rank_fusion([["c", "a", "b"]])] == ["c", "a", "b"]


def test_a_weak_keyword_match_does_not_overturn_a_clear_similarity() -> None:
    legs = {"dense": np.array([0.9, 0.1, 0.2], np.float32), "keyword": np.array([5.0, 6.0, 0.0], np.float32)}
    fused = weighted_fusion(legs, {"dense": 0.5, "keyword": 0.5})
    assert int(fused.argmax()) == 0


@given(
    arrays(np.float32, st.integers(1, 20), elements=st.floats(-100, 100, width=32)),
    st.floats(0.125, 1000, width=32),
    st.floats(-100, 100, width=32),
)
def test_the_unit_and_the_zero_of_a_leg_do_not_matter(
    scores: NDArray[np.float32], scale: float, shift: float
) -> None:
    if float(np.ptp(scores)) < 0.01:
        return
    moved = (scores.astype(np.float64) * scale + shift).astype(np.float32)
    assert np.allclose(spread(scores), spread(moved), atol=0.05)


@given(arrays(np.float32, st.integers(1, 20), elements=st.floats(-1, 1, width=32)))
def test_a_leg_without_weight_changes_nothing(scores: NDArray[np.float32]) -> None:
    both = {"dense": scores, "keyword": scores[::-1].copy()}
    assert np.array_equal(weighted_fusion(both, {"dense": 1.0}), spread(scores))


def test_candidates_that_are_all_the_same_are_all_zero() -> None:
    assert spread(np.full(3, 0.7, np.float32)).tolist() == [0.0, 0.0, 0.0]
