"""From a ranking to what is shown: each text once, unlike passages, neighbours as one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.access import Caller, access
from retrieval.chosen import Chosen, Span
from retrieval.errors import UsageError
from retrieval.passages import PassageIndex
from retrieval.records import Chunk, Passage
from retrieval.selection import Selection, maximal_marginal_relevance, merged, select
from retrieval.stores.interface import Hit
from tests.retrieval.test_passages import AXES, SIGNATURE, document, put

LONG = (
    "The valve is opened by hand and closed by the spring, which is tested each year by the maintenance team. "
    * 2
)


@pytest.fixture
def index(tmp_path: Path) -> PassageIndex:
    return PassageIndex(tmp_path / "index", SIGNATURE, create=True)


def search(index: PassageIndex, how: Selection, top_k: int = 10, **more: object) -> list[Passage]:
    return index.search("valve", AXES[0], top_k=top_k, selection=how, **more)  # type: ignore[arg-type]


# -- copies -------------------------------------------------------------------------------------------------


def test_a_text_that_stands_in_two_documents_is_shown_once_with_both_named(index: PassageIndex) -> None:
    put(index, "a", LONG, 0)
    put(index, "copy of a", LONG.replace("valve", "ｖａｌｖｅ").replace(" by ", "  by\n"), 0)
    put(index, "b", "Another valve.", 1)
    (first, second) = search(index, Selection(collapse=True))
    assert {first.document, *first.also_in} == {"a", "copy of a"}
    assert (second.document, second.also_in) == ("b", ())
    assert len(search(index, Selection())) == 3


def test_a_copy_frees_a_place_for_another_text(index: PassageIndex) -> None:
    for name in "abc":
        put(index, name, LONG, 0)
    put(index, "d", "Another valve.", 1)
    assert len(search(index, Selection(collapse=True), top_k=2)) == 2


def test_short_texts_of_other_subjects_are_no_copies(index: PassageIndex) -> None:
    """The dose of one drug and of another can read the same; what tells them apart is the title."""
    put(index, "a", "Valve: 5 mg", 0, title="Drug A")
    put(index, "b", "Valve: 5 mg", 0, title="Drug B")
    put(index, "b2", "Valve: 5 mg", 0, title="Drug B")
    assert len(search(index, Selection(collapse=True))) == 2


def test_two_copies_of_another_title_are_named_with_the_text_and_with_no_other(index: PassageIndex) -> None:
    put(index, "a", LONG, 0, title="A")
    put(index, "b", LONG, 0, title="B")
    put(index, "between", "Another valve, opened by hand and closed by the spring.", 0)
    put(index, "b2", LONG, 0, title="B")
    also = {each.document: set(each.also_in) for each in search(index, Selection(collapse=True))}
    assert also["between"] == set()
    assert len(also) == 2
    ranked = [Hit(n, n, hit, 0.0) for n, hit in enumerate(rows_with(["A", "B", "between", "B"]))]
    chosen = select(
        [(hit.id, 1.0) for hit in ranked],
        lambda ids: {row: ranked[row] for row in ids},
        lambda spans: {},
        4,
        Selection(collapse=True),
    )
    assert [(each.hit.id, each.also_in) for each in chosen] == [(0, ("1", "3")), (2, ())]


def rows_with(titles: Sequence[str]) -> list[dict[str, object]]:
    return [
        {
            "document_id": number,
            "document": str(number),
            "title": title,
            "headings": [],
            "text": "between" if title == "between" else LONG,
            "start": 0,
            "end": len(LONG),
        }
        for number, title in enumerate(titles)
    ]


def test_a_copy_that_the_caller_may_not_read_is_not_named(index: PassageIndex) -> None:
    put(index, "a", LONG, 0)
    put(index, "secret", LONG, 0, access=access("mori", []))
    (only,) = search(index, Selection(collapse=True), caller=Caller())
    assert (only.document, only.also_in) == ("a", ())


# -- neighbours ---------------------------------------------------------------------------------------------

PARTS = ("The valve opens at noon.\n\n", "It closes at six.\n\n", "The valve is oiled.\n\n", "It is blue.\n")


def put_parts(index: PassageIndex, name: str, headings: Sequence[str], axes: Sequence[int]) -> str:
    text, chunks = "", []
    for part, heading in zip(PARTS, headings, strict=True):
        chunks.append(Chunk(part.strip(), len(text), len(text) + len(part.strip()), headings=(heading,)))
        text += part
    index.replace(document(name, text, page_starts=(0, 30)), chunks, AXES[list(axes)])
    return text


def test_neighbours_of_a_section_become_one_passage_with_the_documents_own_text(index: PassageIndex) -> None:
    text = put_parts(index, "a", ["x", "x", "x", "y"], [0, 0, 0, 0])
    found = search(index, Selection(merge=True))
    assert len(found) == 2
    whole = next(each for each in found if each.headings == ("x",))
    assert whole.text == text[whole.start : whole.end]
    assert whole.text == "The valve opens at noon.\n\nIt closes at six.\n\nThe valve is oiled."
    assert whole.page == 1
    assert index.quote(whole.id, whole.start, whole.end) == whole.text
    assert len(search(index, Selection())) == 4


def test_passages_with_another_between_them_stay_apart(index: PassageIndex) -> None:
    put_parts(index, "a", ["x", "x", "x", "x"], [0, 1, 0, 1])
    two = search(index, Selection(merge=True), top_k=2)
    assert len(two) == 2 or all(len(each.text) > 30 for each in two)
    apart = [chosen(0, 1, 0, 10), chosen(1, 1, 20, 30)]
    assert merged(apart, lambda spans: dict.fromkeys(spans, "between")) == apart
    assert len(merged(apart, lambda spans: dict.fromkeys(spans, "\n\n"))) == 1
    distant = [chosen(0, 1, 0, 10), chosen(1, 1, 500, 510)]
    assert merged(distant, lambda spans: dict.fromkeys(spans, " ")) == distant


def chosen(row: int, document_id: int, start: int, end: int) -> Chosen:
    data = {
        "document_id": document_id,
        "headings": [],
        "text": "x" * (end - start),
        "start": start,
        "end": end,
    }
    return Chosen(Hit(row, row, data, 0.0), (document_id, start, end), (row,))


@given(st.lists(st.tuples(st.integers(1, 2), st.integers(0, 12)), unique=True, max_size=14))
def test_merging_loses_no_row_and_doubles_none_and_joins_what_touches(places: list[tuple[int, int]]) -> None:
    def blank(spans: Sequence[Span]) -> dict[Span, str]:
        return dict.fromkeys(spans, " ")

    rows = [chosen(n, doc, 10 * at, 10 * at + 10) for n, (doc, at) in enumerate(places)]
    out = merged(rows, blank)
    assert sorted(row for each in out for row in each.rows) == list(range(len(rows)))
    assert [each.hit.id for each in out] == sorted(each.hit.id for each in out)  # the best keeps its place
    for each in out:
        assert each.span[2] - each.span[1] >= 10 * len(each.rows)
        assert len(each.rows) <= 4
    for one in out:
        for other in out:
            touching = one.span[0] == other.span[0] and one.span[2] == other.span[1]
            assert not touching or len(one.rows) + len(other.rows) > 4


# -- diversity ----------------------------------------------------------------------------------------------


def test_diversity_shows_another_subject_before_more_of_the_same(index: PassageIndex) -> None:
    for number in range(3):
        put(index, f"same-{number}", f"The valve number {number}.", 0)
    put(index, "other", "A valve of another kind.", 1)
    plain = [each.document for each in search(index, Selection(), top_k=2)]
    varied = [each.document for each in search(index, Selection(diversity=0.7), top_k=2)]
    assert "other" not in plain
    assert varied[1] == "other"
    assert varied[0] == plain[0]
    assert [each.rank for each in search(index, Selection(diversity=0.7))] == [1, 2, 3, 4]


UNITS = st.integers(0, 10_000).map(lambda seed: _unit(seed))


def _unit(seed: int) -> np.ndarray:
    vector = np.random.default_rng(seed).normal(size=5)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


@given(st.lists(UNITS, min_size=1, max_size=12), st.integers(1, 15), st.floats(0, 1))
def test_what_is_chosen_is_each_once_the_best_first_and_without_diversity_the_ranking(
    vectors: list[np.ndarray], count: int, diversity: float
) -> None:
    scores = [float(score) for score in np.linspace(1, 0, len(vectors))]
    places = maximal_marginal_relevance(scores, np.stack(vectors), count=count, diversity=diversity)
    assert len(places) == len(set(places)) == min(count, len(vectors))
    assert places[0] == 0
    plain = maximal_marginal_relevance(scores, np.stack(vectors), count=count, diversity=0)
    assert plain == list(range(len(plain)))


@pytest.mark.parametrize("diversity", [-0.1, 1.1, float("nan")])
def test_a_diversity_out_of_range_is_told(diversity: float) -> None:
    with pytest.raises(UsageError, match="between 0 and 1"):
        Selection(diversity=diversity)


def test_nothing_is_chosen_from_nothing() -> None:
    for how in (Selection(), Selection(collapse=True, diversity=0.5, merge=True)):
        assert select([], lambda ids: {}, lambda spans: {}, 5, how) == []
