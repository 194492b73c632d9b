"""What one answer says and the others do not, in words of either language."""

from __future__ import annotations

from ui.page.differences import differences


def differing(*texts: str) -> list[list[str]]:
    return [
        [text[start:end] for start, end in spans]
        for text, spans in zip(texts, differences(texts), strict=True)
    ]


def test_words_that_stand_in_no_other_answer_are_found_and_neighbours_joined() -> None:
    assert differing("The kiln is hot today", "the kiln is cold") == [["hot today"], ["cold"]]
    assert differing("changed every 24 hours", "changed every 1,240 hours") == [["24"], ["1,240"]]


def test_japanese_is_compared_by_its_characters() -> None:
    assert differing("返却は60分以内です。", "返却は30分以内です。") == [["60"], ["30"]]
    assert differing("輸血部に返す。", "輸血部へ返す。") == [["に"], ["へ"]]


def test_what_another_says_too_and_markers_and_an_answer_alone_are_no_difference() -> None:
    assert differing("One. [1]", "One! [2]", "") == [[], [], []]
    assert differing("One two", "One", "two") == [[], [], []]
    assert differing("Alone") == [[]]
