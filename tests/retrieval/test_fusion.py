from retrieval.fusion import convex_fusion, reciprocal_rank_fusion


def test_what_both_rankings_hold_comes_first() -> None:
    fused = reciprocal_rank_fusion([["a", "b"], ["b", "c"]])
    assert [item for item, _ in fused] == ["b", "a", "c"]


def test_one_ranking_is_kept_as_it_is() -> None:
    assert [item for item, _ in reciprocal_rank_fusion([["c", "a", "b"]])] == ["c", "a", "b"]


def test_a_weak_keyword_match_does_not_overturn_a_clear_similarity() -> None:
    fused = convex_fusion({"right": 0.30, "chance": 0.10}, {"chance": 1.0}, ceiling=20.0, weight=0.2)
    assert [item for item, _ in fused] == ["right", "chance"]


def test_a_full_keyword_match_does() -> None:
    fused = convex_fusion({"near": 0.20, "exact": 0.10}, {"exact": 20.0}, ceiling=20.0, weight=0.2)
    assert [item for item, _ in fused] == ["exact", "near"]


def test_a_query_without_words_is_ranked_by_similarity() -> None:
    assert convex_fusion({"a": 0.1, "b": 0.2}, {}, ceiling=0.0, weight=0.2)[0][0] == "b"
