from __future__ import annotations

import pytest

from ingest.lines import heading_level, is_table_row, is_wrapped, join_lines


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["the op-", "posite side"], "the opposite side"),
        (["a self-", "locking nut"], "a self-locking nut"),
        (["the Anglo-", "Saxon kings"], "the Anglo-Saxon kings"),
        (["GPT-", "4 is"], "GPT-4 is"),
        (["since 737–", "9 was"], "since 737–9 was"),
        (["a dash -", "and more"], "a dash - and more"),
        (["soft\u00ad", "ware"], "software"),
        (["two", "words"], "two words"),
        (["梅雨の時期", "が始まる"], "梅雨の時期が始まる"),
        (["使うのはPython", "です"], "使うのはPythonです"),
        ([" indented ", "", "text "], "indented text"),
    ],
)
def test_wrapped_lines_are_joined_as_they_are_read(lines: list[str], expected: str) -> None:
    assert join_lines(lines) == expected


def test_a_hyphen_stays_where_the_document_writes_the_word_with_one() -> None:
    assert join_lines(["load-", "carrying"]) == "loadcarrying"
    assert join_lines(["load-", "carrying"], {"load-carrying"}) == "load-carrying"


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("1. Introduction", 1),
        ("2.3 用法・用量", 2),
        ("第3章 安全管理", 1),
        ("第１条（目的）", 2),
        ("Chapter 4 Maintenance", 1),
        ("1 tablet twice a day", 0),
        ("11.43 and 11.45, by any of the following", 0),
        ("3. この文は見出しではない。", 0),
        ("2024", 0),
        ("An ordinary line", 0),
    ],
)
def test_numbered_headings_are_recognised_conservatively(line: str, level: int) -> None:
    assert heading_level(line) == level


def test_rows_of_tables_are_told_by_bars_tabs_and_gaps() -> None:
    assert is_table_row("| a | b |")
    assert is_table_row("a\tb")
    assert is_table_row("Name    Dose    Route")
    assert not is_table_row("a line of prose, with  two spaces")


def test_only_lines_that_fill_their_column_are_wrapped() -> None:
    assert is_wrapped(["x" * 70, "y" * 68, "z"])
    assert not is_wrapped(["12 High Street", "Oxford", "England"])
    assert not is_wrapped(["one line"])
    assert not is_wrapped(["段落" * 100, "段落" * 90])
