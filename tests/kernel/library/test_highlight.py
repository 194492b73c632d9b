"""Where a quote stands in the text of a page that another engine read."""

from __future__ import annotations

import pytest

from kernel.library.highlight import places

PAGE = "Warranty\r\nThe war-\r\nranty lasts 24 months. Ask the work-\r\nshop. The warranty lasts 24 months."


def found(quote: str, page: str = PAGE, before: float = 0.0) -> list[str]:
    return [page[start:end] for start, end in places(quote, page, before)]


def test_a_word_cut_by_the_line_end_is_found() -> None:
    assert found("The warranty lasts 24 months.") == ["The war-\r\nranty lasts 24 months"]


def test_the_same_words_are_told_apart_by_where_they_should_stand() -> None:
    ((early, _),), ((late, _),) = (places("The warranty lasts 24 months.", PAGE, part) for part in (0.1, 0.9))
    assert early < late


@pytest.mark.parametrize(
    ("quote", "page", "marked"),
    [
        ("MRI検査は48時間以内", "ＭＲＩ 検査は\r\n４８時間以内に", "ＭＲＩ 検査は\r\n４８時間以内"),
        (
            "| Zone | Rule |\n|---|---|\n| Three | Nobody alone |",
            "Zone Rule Three Nobody alone",
            "Zone Rule Three Nobody alone",
        ),
        ("efficient", "e\ufb03cient", "e\ufb03cient"),
    ],
)
def test_forms_of_characters_and_bars_of_tables_do_not_count(quote: str, page: str, marked: str) -> None:
    assert found(quote, page) == [marked]


def test_a_quote_with_something_between_is_found_in_pieces() -> None:
    page = "The patient walks through the detector page 12 of 30 before every examination"
    assert found("The patient walks through the detector before every examination", page) == [
        "The patient walks through the detector",
        "before every examination",
    ]


@pytest.mark.parametrize("quote", ["", "...", "Nothing of this kind is written anywhere here"])
def test_what_does_not_stand_there_is_not_marked(quote: str) -> None:
    assert found(quote) == []
