"""How readings are measured, and the readings of the public test documents."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.reading import Row, main, read_folder, read_one, table
from evaluation.reading_expected import EXPECTED, Expected
from evaluation.reading_measure import common, fold, in_order, likeness

DOCUMENTS = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "documents"
WORDS = st.text("abcあいう漢字 \n", min_size=1, max_size=80)


@given(WORDS)
def test_a_text_is_wholly_like_itself_whatever_its_spaces_and_widths(text: str) -> None:
    wide = text.replace("a", "ａ").replace(" ", "\u3000\n")
    found = likeness(text, wide)
    assert (found.similarity, found.excess) == (1.0, 0.0)


@given(WORDS, WORDS)
def test_likeness_is_a_share(expected: str, read: str) -> None:
    found = likeness(expected, read)
    assert 0.0 <= found.similarity <= 1.0
    assert 0.0 <= found.excess <= 1.0


@given(WORDS, st.text("xyz", min_size=1, max_size=40))
def test_what_is_read_besides_is_excess_and_costs_no_similarity(text: str, menu: str) -> None:
    found = likeness(text, menu + text)
    assert found.similarity == 1.0
    assert found.excess == pytest.approx(len(menu) / len(fold(menu + text)))


@given(WORDS.filter(lambda text: len(fold(text)) > 1))
def test_what_is_lost_costs_its_share(text: str) -> None:
    half = fold(text)[: len(fold(text)) // 2]
    assert likeness(text, half).similarity == pytest.approx(len(half) / len(fold(text)))


def test_the_order_counts() -> None:
    assert likeness("abcdef", "defabc").similarity == 0.5


def test_a_long_text_is_measured_in_pieces_and_loses_nothing_by_it() -> None:
    text = "".join(f"sentence number {number} of a long text. " for number in range(9000))
    read = "menu " * 200 + text.replace("number 5 ", "")
    found = likeness(text, read)
    assert found.similarity > 0.999
    assert 0.0 < found.excess < 0.02
    assert common(fold(text), fold(text)) == len(fold(text))


def test_rules_and_bars_of_tables_do_not_count() -> None:
    assert fold("| a | b |\n| --- | --- |\n| c |  |") == "abc"


def test_phrases_must_stand_in_their_order() -> None:
    assert in_order(("one", "two"), "o n e … two") == []
    assert in_order(("two", "one"), "one two") == ["one"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tika__english.cp500.txt").write_bytes("Hello from the mainframe\r\n".encode("cp500") * 20)
    (tmp_path / "unstructured__empty.txt").write_bytes(b"not empty")
    (tmp_path / "other.txt").write_bytes("名前".encode("cp932"))
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return tmp_path


def test_files_that_are_known_are_judged_and_others_only_shown(folder: Path) -> None:
    rows = {row.name: row for row in read_folder(folder)}
    assert rows["tika__english.cp500.txt"].right is True
    assert rows["tika__english.cp500.txt"].similarity == 1.0
    assert rows["unstructured__empty.txt"].faults == ["is ok, not empty"]
    assert (rows["other.txt"].right, rows["other.txt"].encoding, rows["other.txt"].characters) == (
        None,
        "cp932",
        2,
    )
    assert rows["picture.png"].outcome == "unsupported"


def test_every_kind_of_fault_is_named(tmp_path: Path) -> None:
    path = tmp_path / "page.txt"
    path.write_text("Menu\n\nThe text. The text.\n", encoding="utf-8")
    expected = Expected(
        path.name, text="Another", begins="Once", length=500, phrases=("lost",), once=("The text.",),
        absent=("Menu",), encodings=("cp932",), title="Title",
    )  # fmt: skip
    row = read_one(path, expected)
    assert row.right is False
    said = "; ".join(row.faults)
    for word in (
        "similarity",
        "not expected",
        "begin",
        "about 500",
        "lost",
        "2 times",
        "Menu",
        "utf-8",
        "title",
    ):
        assert word in said


def test_the_table_has_a_line_for_each_file_and_says_what_is_wrong() -> None:
    right = Row("a.pdf", "ok", engine="pypdf 1-3, pypdfium2 4", similarity=0.5, right=True)
    wrong = Row("b.pdf", "failed", right=False, faults=["is failed, not ok"])
    lines = table([right, wrong]).split("\n")
    assert "pypdf 1-3, pypdfium2 4" in lines[1]
    assert lines[-2:] == ["1 of 2 as they should be", "b.pdf: is failed, not ok"]


def test_the_command_ends_with_three_when_a_file_is_wrong(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(folder), "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["wrong"] == ["unstructured__empty.txt"]
    assert main([str(folder), "--only", "cp500"]) == 0


def test_a_folder_that_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert main(["/no/such/folder"]) == 2
    assert len(capsys.readouterr().err.strip().split("\n")) == 2


def test_a_password_is_in_no_table(tmp_path: Path) -> None:
    path = tmp_path / "locked.pdf"
    path.write_bytes(b"damaged")
    expected = Expected(path.name, password="open sesame")
    assert "sesame" not in repr(expected) + table([read_one(path, expected)])


@pytest.mark.skipif(not DOCUMENTS.is_dir(), reason="the public test documents are not there")
def test_there_is_an_expectation_for_each_public_document() -> None:
    files = {path.name for path in DOCUMENTS.iterdir() if path.is_file() and path.name != "LIST.md"}
    assert {each.name for each in EXPECTED} == files


@pytest.mark.skipif(not DOCUMENTS.is_dir(), reason="the public test documents are not there")
@pytest.mark.parametrize(
    "expected", EXPECTED, ids=lambda each: each.name + (" with a password" if each.password else "")
)
def test_the_public_documents_are_read_as_they_should_be(expected: Expected) -> None:
    assert read_one(DOCUMENTS / expected.name, expected).faults == []
