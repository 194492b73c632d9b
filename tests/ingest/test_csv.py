from __future__ import annotations

from pathlib import Path

import pytest

from ingest.blocks import BlockKind, Outcome, ReadError
from ingest.readers.csv import find_separator, read

TABLE = "| name | age |\n| --- | --- |\n| Sato | 30 |"


def text(data: bytes) -> str:
    return "\n\n".join(block.text for block in read(data).blocks)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found(separator: str) -> None:
    result = read(f"name{separator}age\nSato{separator}30\n".encode())
    assert [(block.kind, block.text) for block in result.blocks] == [(BlockKind.TABLE, TABLE)]


def test_commas_inside_cells_do_not_mislead() -> None:
    assert find_separator("name;note\nSato;a, b, c\nMiki;d\nTakahashi;e, f\n") == ";"
    assert find_separator("price;amount\n1,5;2\n2,5;3\n") == ";"


def test_a_file_may_name_its_separator() -> None:
    assert text(b"sep=|\nname|age\nSato|30\n") == TABLE


def test_japanese_encodings_are_found_over_the_whole_file() -> None:
    head = "id,note\n" + "1,ascii only\n" * 2000
    result = read((head + "2,髙橋さんの記録です\n").encode("cp932"))
    assert result.encoding == "cp932"
    assert result.blocks[0].text.endswith("| 2 | 髙橋さんの記録です |")


def test_a_byte_order_mark_is_no_part_of_the_header() -> None:
    assert text("\ufeffname,age\nSato,30".encode()) == TABLE


def test_cells_with_line_ends_and_bars_stay_in_their_row() -> None:
    assert text(b'name,note\nSato,"two\nlines | bar"\n') == (
        "| name | note |\n| --- | --- |\n| Sato | two lines ¦ bar |"
    )


def test_doubled_quotation_marks_are_one() -> None:
    assert "say “x”" not in text(b'a,b\n"say ""hi""",2\n')
    assert 'say "hi"' in text(b'a,b\n"say ""hi""",2\n')


def test_rows_longer_and_shorter_than_the_header_are_kept() -> None:
    assert text(b"a,b\n1\n1,2,3\n4,5\n") == (
        "| a | b |  |\n| --- | --- | --- |\n| 1 |  |  |\n| 1 | 2 | 3 |\n| 4 | 5 |  |"
    )


def test_titles_above_the_header_are_paragraphs() -> None:
    assert text("売上報告\n\n月,金額\n4月,100\n".encode()) == (
        "売上報告\n\n| 月 | 金額 |\n| --- | --- |\n| 4月 | 100 |"
    )


def test_a_quotation_mark_that_is_never_closed_swallows_nothing() -> None:
    result = read(b'size,count\n"5 inch,1\n6 inch,2\n')
    assert result.blocks[0].text.split("\n")[2:] == ['| "5 inch | 1 |', "| 6 inch | 2 |"]
    assert len(result.warnings) == 1


def test_one_column_is_text() -> None:
    result = read("品名\nりんご\nみかん\n".encode())
    assert [(block.kind, block.text) for block in result.blocks] == [
        (BlockKind.PARAGRAPH, "品名\nりんご\nみかん")
    ]


def test_nul_bytes_are_dropped() -> None:
    assert text(b"name,age\nSa\x00to,30\n") == TABLE


def test_long_cells_are_read() -> None:
    assert "x" * 300_000 in text(b"a,b\n" + b"x" * 300_000 + b",2\n")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\n\n , ,\n", Outcome.EMPTY),
        (bytes(range(1, 32)) * 20, Outcome.UNSUPPORTED),
        (b"a,b\n" + b"x" * (17 * 2**20) + b",1\n", Outcome.FAILED),
    ],
)
def test_what_is_no_table_is_named(data: bytes, expected: Outcome) -> None:
    with pytest.raises(ReadError) as error:
        read(data)
    assert error.value.outcome is expected


def test_public_japanese_csv(documents: Path) -> None:
    result = read((documents / "markitdown__test_mskanji.csv").read_bytes())
    assert result.encoding == "cp932"
    assert "髙橋淳" in result.blocks[0].text
