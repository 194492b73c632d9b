"""Passages shown with what stands around them in their sections."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.access import Caller, access
from retrieval.chosen import Chosen
from retrieval.errors import UsageError
from retrieval.passages import PassageIndex
from retrieval.records import Chunk, Passage
from retrieval.sections import section_of, with_sections
from retrieval.selection import Selection
from retrieval.stores.interface import Hit
from tests.retrieval.test_passages import AXES, SIGNATURE, document

HEADED = [
    ("The valve is opened at noon.", ("Care",)),
    ("It is closed at six.", ("Care",)),
    ("It is oiled each week.", ("Care",)),
    ("Fans are cleaned.", ("Care", "Fans")),
    ("The pump is blue.", ("Colours",)),
]


@pytest.fixture
def index(tmp_path: Path) -> PassageIndex:
    return PassageIndex(tmp_path / "index", SIGNATURE, create=True)


def put(
    index: PassageIndex,
    rows: Sequence[tuple[str, tuple[str, ...]]],
    axes: Sequence[int],
    name: str = "a",
    **more: object,
) -> str:
    text, chunks = "", []
    for part, headings in rows:
        chunks.append(Chunk(part, len(text), len(text) + len(part), headings=headings))
        text += part + "\n\n"
    index.replace(document(name, text, **more), chunks, AXES[list(axes)])
    return text


def search(
    index: PassageIndex, section: int = 1000, top_k: int = 10, caller: Caller | None = None
) -> list[Passage]:
    how = Selection(section=section)
    return index.search("fan pump", AXES[0], top_k=top_k, mode="dense", selection=how, caller=caller)


def test_a_passage_is_shown_with_its_section_and_no_other_and_quotes_stay_exact(index: PassageIndex) -> None:
    text = put(index, HEADED, [1, 0, 1, 1, 1], page_starts=(0, 10, 40))
    (best,) = search(index, top_k=1)
    assert best.text == text[best.start : best.end] == "\n\n".join(part for part, _ in HEADED[:3])
    assert (best.page, best.page_of(best.start + 45)) == (1, 3)
    assert index.quote(best.id, best.start, best.end) == best.text
    assert index.search("x", AXES[0], top_k=1, mode="dense")[0].text == "It is closed at six."


def test_two_passages_of_a_section_are_shown_once_and_make_room_for_another(index: PassageIndex) -> None:
    put(index, HEADED, [0, 0, 0, 1, 1])
    found = search(index, top_k=3)
    assert [each.headings for each in found] == [("Care",), ("Care", "Fans"), ("Colours",)]
    assert [each.rank for each in found] == [1, 2, 3]


def test_no_more_is_shown_than_asked_for_in_whole_rows(index: PassageIndex) -> None:
    put(index, HEADED, [1, 0, 1, 1, 1])
    (best,) = search(index, section=25, top_k=1)
    assert best.text == "It is closed at six.\n\nIt is oiled each week."
    (best,) = search(index, section=5, top_k=1)
    assert best.text == "It is closed at six."


def test_a_table_that_was_cut_is_one_section_with_what_stands_above_it(index: PassageIndex) -> None:
    header = "| Part | Stock |"
    rows = [
        (f"Counted daily.\n{header}\n|---|---|\n| pump | 3 |", ("Stock",)),
        ("| fan | 4 |", ("Stock", header)),
        ("| valve | 5 |", ("Stock", header)),
        ("Closed on Sundays.", ("Hours",)),
    ]
    text = put(index, rows, [1, 1, 0, 1])
    (best,) = search(index, top_k=1)
    assert best.text == text[best.start : best.end]
    assert best.text.startswith("Counted daily.")
    assert best.text.endswith("| valve | 5 |")


def test_a_section_is_of_one_document_and_of_what_the_caller_may_read(index: PassageIndex) -> None:
    put(index, HEADED[:1], [0], "a")
    put(index, HEADED[1:3], [1, 1], "secret", access=access("mori", []))
    (only,) = search(index, caller=Caller())
    assert only.text == HEADED[0][0]


def test_sections_and_diversity_go_together(index: PassageIndex) -> None:
    put(index, HEADED, [0, 0, 0, 1, 2])
    found = index.search(
        "x", AXES[0], top_k=3, mode="dense", selection=Selection(diversity=0.5, section=1000)
    )
    assert found[0].text.count("\n\n") == 2
    assert len({each.start for each in found}) == len(found)


def test_a_heading_with_a_bar_in_it_is_no_table() -> None:
    def row(*headings: str) -> Hit:
        return Hit(1, "1:0", {"headings": list(headings)}, 0.0)

    assert section_of(row("Manual | Pumps")) == ("Manual | Pumps",)
    assert section_of(row("Stock", "| Part | Stock |")) == ("Stock",)
    assert section_of(row("Stock", "Part\tStock")) == ("Stock",)
    assert section_of(row()) == ()


def test_fewer_than_no_characters_are_told() -> None:
    with pytest.raises(UsageError, match="0 or more"):
        Selection(section=-1)


@given(
    st.lists(st.sampled_from("abc"), min_size=1, max_size=14),
    st.integers(0, 80),
    st.randoms(use_true_random=False),
)
def test_no_row_is_shown_twice_none_is_lost_and_each_stays_in_its_section_and_bound(
    sections: list[str], most: int, chance: object
) -> None:
    lengths = [1 + (7 * number) % 19 for number in range(len(sections))]
    starts = np.cumsum([0, *lengths]).tolist()
    rows = {
        number: Hit(
            number + 100,
            f"1:{number}",
            {"headings": [name], "start": starts[number], "end": starts[number + 1]},
            0.0,
        )
        for number, name in enumerate(sections)
    }
    ranked = list(rows)
    chance.shuffle(ranked)  # type: ignore[attr-defined]
    ranked = ranked[: 1 + len(ranked) // 2]
    chosen = [Chosen(rows[n], (1, rows[n].data["start"], rows[n].data["end"]), (rows[n].id,)) for n in ranked]
    out = with_sections(chosen, lambda document, number: rows.get(number), most)
    shown = [row for each in out for row in each.rows]
    assert len(shown) == len(set(shown))
    assert {n + 100 for n in ranked} <= set(shown)
    for each in out:
        own = each.hit.data
        assert each.span[1] <= own["start"] < own["end"] <= each.span[2]
        assert each.span[2] - each.span[1] - (own["end"] - own["start"]) <= most
        assert {sections[row - 100] for row in each.rows} == set(own["headings"])
        assert each.span[2] - each.span[1] == sum(lengths[row - 100] for row in each.rows)
