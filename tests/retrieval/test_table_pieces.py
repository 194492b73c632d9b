"""Pieces of one table come together; a ranking without tables stays as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.passages import PassageIndex
from retrieval.ranking import Ranked
from retrieval.table_pieces import table_header, with_table_pieces
from tests.retrieval.test_passages import AXES, SIGNATURE, put

MARKDOWN = "Stock of the shop\n\n| Name | Stock | Floor |\n|---|---|---|\n| {} | 3 | two |"
HTML = "<table>\n<tr>\n<th>Name</th>\n<th>Stock</th>\n<th>Floor</th>\n</tr>\n<tr><td>{}</td><td>3</td></tr></table>"
CSV = "Name,Stock,Floor\n{},3,two\nfan,4,one"


def ranking(texts: Sequence[str]) -> list[Ranked]:
    scores = np.linspace(1, 0, len(texts)).astype(np.float32)
    return [Ranked(n, float(scores[n]), {"dense": scores}, n, {}) for n in range(len(texts))]


def order(texts: Sequence[str]) -> list[int]:
    def data_of(ids: Sequence[int]) -> Mapping[int, Mapping[str, Any]]:
        return {row: {"text": texts[row], "headings": []} for row in ids}

    return [item.id for item in with_table_pieces(ranking(texts), data_of)]


@pytest.mark.parametrize("form", [MARKDOWN, HTML, CSV])
def test_the_header_of_a_table_is_found_in_any_form(form: str) -> None:
    assert {"name", "stock", "floor"} <= table_header(form.format("pump"), [])
    assert "pump" not in table_header(form.format("pump"), [])


def test_a_later_piece_has_the_header_that_it_stands_under() -> None:
    assert table_header("| fan | 4 |", ["Shop", "| Name | Stock |"]) == {"name", "stock"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "One line of text.",
        "Plain text, with commas, and more.\nAnother line, with commas, and more, of them.",
        "a | b\nno table",
        "<p>Only a paragraph</p>",
        "<table>" * 1000,
        "," * 2000,
    ],
)
def test_what_is_no_table_has_no_header(text: str) -> None:
    assert table_header(text, ["Heading"]) == frozenset()


@pytest.mark.parametrize("form", [MARKDOWN, HTML, CSV])
def test_pieces_of_the_best_rows_table_move_up_and_stay_below_it(form: str) -> None:
    texts = [form.format("pump"), "a", "b", "c", form.format("valve"), "d"]
    assert order(texts) == [0, 1, 2, 4, 3, 5]
    other = form.replace("Name", "City").replace("Stock", "People").replace("Floor", "Mayor")
    assert order([*texts[:4], other, "d"]) == [0, 1, 2, 3, 4, 5]


def test_a_table_that_is_not_among_the_best_moves_nothing() -> None:
    texts = ["a", "b", "c", MARKDOWN.format("pump"), "d", "e", MARKDOWN.format("fan")]
    assert order(texts) == list(range(7))


def test_a_long_table_does_not_fill_the_ranking() -> None:
    texts = [CSV.format("pump"), *("x" * 9), *(CSV.format(str(n)) for n in range(30))]
    assert len([row for row in order(texts)[:14] if row >= 10]) == 4


@given(st.lists(st.sampled_from(["plain", CSV, MARKDOWN, HTML]), max_size=70))
def test_no_row_is_lost_or_doubled_and_scores_never_rise(texts: list[str]) -> None:
    def data_of(ids: Sequence[int]) -> Mapping[int, Mapping[str, Any]]:
        return {row: {"text": texts[row], "headings": []} for row in ids}

    out = with_table_pieces(ranking(texts), data_of)
    assert sorted(item.id for item in out) == list(range(len(texts)))
    scores = [item.score for item in out]
    assert scores == sorted(scores, reverse=True)
    if "plain" in texts[:1] or not texts:
        assert not texts or out[0].id == 0
    if set(texts[:3]) <= {"plain"}:
        assert [(item.id, item.score) for item in out] == [(item.id, item.score) for item in ranking(texts)]


def test_a_search_brings_the_pieces_of_a_table(tmp_path: Path) -> None:
    index = PassageIndex(tmp_path / "index", SIGNATURE, create=True)
    put(index, "pump", CSV.format("pump"), 0)
    for number in range(4):
        index.replace(*_near(f"text-{number}", f"Number {number} is blue.", 0.5))
    index.replace(*_near("fan", CSV.format("ladder"), 0.35))
    found = [each.document for each in index.search("pump", AXES[0], top_k=3)]
    assert found[0] == "pump"
    assert "fan" in found
    assert "fan" not in [each.document for each in index.search("pump", AXES[0], top_k=3, mode="dense")]


def _near(name: str, text: str, cosine: float) -> tuple[Any, ...]:
    from retrieval.records import Chunk
    from tests.retrieval.test_passages import document

    vector = np.array([[cosine, (1 - cosine**2) ** 0.5, 0, 0]], np.float32)
    return document(name, text), [Chunk(text, 0, len(text))], vector
