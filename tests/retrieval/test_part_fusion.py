"""The rankings of a question and of its parts, made one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.part_fusion import fused_parts
from retrieval.passages import PassageIndex
from retrieval.ranking import Query, Ranked
from tests.retrieval.test_passages import AXES, SIGNATURE, put


def ranking(*ids: int) -> list[Ranked]:
    scores = np.linspace(1, 0.5, len(ids)).astype(np.float32)
    said = {"dense": scores}
    return [Ranked(row, float(scores[n]), said, n, {"dense": 1.0}) for n, row in enumerate(ids)]


def test_without_parts_the_ranking_is_the_wholes_own() -> None:
    whole = ranking(3, 1, 2)
    assert fused_parts(whole, []) == whole


def test_each_part_has_its_best_among_the_first_and_what_it_ranks_is_told() -> None:
    whole = ranking(*range(10, 20))
    fused = fused_parts(whole, [("a", ranking(1, 10, 3)), ("b", ranking(2, 10, 4))])
    assert {item.id for item in fused[:3]} == {1, 2, 10}
    by_id = {item.id: item for item in fused}
    assert by_id[10].parts == {"a": 2, "b": 2}
    assert by_id[1].parts == {"a": 1}
    assert by_id[15].parts == {}


def test_the_whole_tells_parts_of_one_name_apart() -> None:
    """Of two rows that a part likes alike the one is first that the whole question is about."""
    fused = fused_parts(ranking(7, 8, 9), [("price", ranking(5, 9, 6)), ("colour", ranking(4, 8, 6))])
    assert [item.id for item in fused].index(9) < [item.id for item in fused].index(6)


def test_a_part_that_finds_nothing_leaves_the_order_of_the_whole() -> None:
    assert [item.id for item in fused_parts(ranking(3, 1, 2), [("a", []), ("b", [])])] == [3, 1, 2]
    assert fused_parts([], [("a", []), ("b", [])]) == []


@given(st.lists(st.lists(st.integers(0, 20), unique=True, max_size=12), min_size=2, max_size=5))
def test_fusion_loses_no_row_and_doubles_none_and_scores_never_rise(rows: list[list[int]]) -> None:
    whole, *parts = (ranking(*ids) for ids in rows)
    fused = fused_parts(whole, [(str(n), part) for n, part in enumerate(parts)])
    assert sorted(item.id for item in fused) == sorted({row for ids in rows for row in ids})
    scores = [item.score for item in fused]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert all(item.legs()["dense"].rank >= 1 for item in fused)


@pytest.fixture
def index(tmp_path: Path) -> PassageIndex:
    index = PassageIndex(tmp_path / "index", SIGNATURE, create=True)
    for number in range(6):
        put(index, f"valve-{number}", f"The valve, number {number}, is checked.", 0)
    put(index, "signer", "The form is signed by the ward manager.", 1)
    return index


def found(index: PassageIndex, parts: Sequence[Query], mode: str = "hybrid") -> list[str]:
    question = "How is the valve checked, and who signs?"
    passages = index.search(question, AXES[0], top_k=3, mode=mode, parts=parts)  # type: ignore[arg-type]
    return [passage.document for passage in passages]


@pytest.mark.parametrize("mode", ["hybrid", "dense", "keyword"])
def test_a_part_that_the_whole_drowns_is_found(index: PassageIndex, mode: str) -> None:
    parts = [Query("How is the valve checked", AXES[0]), Query("who signs?", 3 * AXES[1])]
    assert "signer" in found(index, parts, mode)
    assert "signer" not in found(index, ()) or mode == "keyword"
    assert any(name.startswith("valve") for name in found(index, parts, mode))


def test_passages_say_which_part_found_them(index: PassageIndex) -> None:
    parts = [Query("valve", AXES[0]), Query("who signs?", AXES[1])]
    passages = index.search("valve, and who signs?", AXES[0], top_k=7, parts=parts)
    signer = next(each for each in passages if each.document == "signer")
    assert signer.parts["who signs?"] == 1
    assert signer.parts["valve"] > 1
    assert index.search("valve", AXES[0], top_k=1)[0].parts == {}
