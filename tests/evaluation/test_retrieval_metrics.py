import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.retrieval.metrics import bootstrap_interval, compare, per_query


def ranked(*names: str) -> list[tuple[str, float]]:
    return [(name, 1.0 - place / 1000) for place, name in enumerate(names)]


def test_the_metrics_have_their_textbook_values() -> None:
    scores = per_query({"q": ranked("x", "a", "y", "b")}, {"q": {"a": 1, "b": 1, "c": 1}})
    ideal = 1 + 1 / math.log2(3) + 1 / math.log2(4)
    assert scores["ndcg@10"][0] == pytest.approx((1 / math.log2(3) + 1 / math.log2(5)) / ideal)
    graded = per_query({"q": ranked("b", "a")}, {"q": {"a": 3, "b": 1}})["ndcg@10"][0]
    assert graded == pytest.approx((1 + 3 / math.log2(3)) / (3 + 1 / math.log2(3)))
    assert scores["mrr@10"][0] == 0.5
    assert scores["recall@10"][0] == scores["recall@100"][0] == pytest.approx(2 / 3)


def test_what_comes_behind_the_tenth_place_counts_in_recall_at_100_only() -> None:
    scores = per_query({"q": ranked(*[f"x{n}" for n in range(10)], "a")}, {"q": {"a": 1}})
    assert {name: values[0] for name, values in scores.items() if values[0]} == {"recall@100": 1.0}


def test_a_query_without_hits_counts_as_nothing() -> None:
    scores = per_query({"q": ranked("a")}, {"q": {"a": 1}, "r": {"a": 1}})
    assert scores["ndcg@10"].tolist() == [1.0, 0.0]


def test_ties_are_ranked_as_they_were_given() -> None:
    assert per_query({"q": [("b", 0.5), ("a", 0.5)]}, {"q": {"b": 1}})["mrr@10"][0] == 1.0


def test_a_run_does_not_differ_from_itself_and_a_better_one_does() -> None:
    values = np.random.default_rng(1).random(80)
    same = compare(values, values)
    assert (same.difference, same.interval, same.p_value) == (0.0, (0.0, 0.0), 1.0)
    better = compare(values, values + 0.1)
    assert better.difference == pytest.approx(0.1)
    assert better.p_value < 0.001


@given(st.lists(st.floats(0, 1), min_size=2, max_size=40))
def test_the_interval_holds_the_mean_and_lies_among_the_values(values: list[float]) -> None:
    low, high = bootstrap_interval(np.array(values))
    assert min(values) - 1e-9 <= low <= float(np.mean(values)) + 1e-9
    assert float(np.mean(values)) - 1e-9 <= high <= max(values) + 1e-9
