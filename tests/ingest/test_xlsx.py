from __future__ import annotations

import datetime
import io
import time
import zipfile
from collections.abc import Callable

import openpyxl
import pytest
from openpyxl.comments import Comment

from ingest.blocks import BlockKind, Outcome, ReadError, ReadResult
from ingest.readers.xlsx import read
from ingest.readers.xlsx_format import shown_number

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def workbook(fill: Callable[[openpyxl.Workbook], None]) -> bytes:
    book = openpyxl.Workbook()
    fill(book)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def with_part(data: bytes, name: str, content: str) -> bytes:
    """Replace a member of an archive, or add it."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for each in old.namelist():
            if each != name:
                new.writestr(each, old.read(each))
        new.writestr(name, content)
    return out.getvalue()


def sheet(rows: str, after: str = "") -> bytes:
    """A workbook whose only sheet has these rows of XML."""
    content = f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData>{after}</worksheet>'
    return with_part(workbook(lambda book: None), "xl/worksheets/sheet1.xml", content)


def texts(result: ReadResult) -> list[str]:
    return [block.text for block in result.blocks]


def test_each_sheet_is_a_heading_with_its_tables_below() -> None:
    def fill(book: openpyxl.Workbook) -> None:
        book.active.title = "売上"
        book.active.append(["月", "金額"])
        book.active.append(["4月", 1200])
        book.create_sheet("Notes").append(["Only words here"])

    result = read(workbook(fill))
    assert [(block.kind, block.level, block.text) for block in result.blocks] == [
        (BlockKind.HEADING, 2, "売上"),
        (BlockKind.TABLE, 0, "| 月 | 金額 |\n| --- | --- |\n| 4月 | 1200 |"),
        (BlockKind.HEADING, 2, "Notes"),
        (BlockKind.PARAGRAPH, 0, "Only words here"),
    ]
    assert result.pages is None


def test_hidden_sheets_are_read_and_empty_ones_leave_no_heading() -> None:
    def fill(book: openpyxl.Workbook) -> None:
        book.active["A1"] = "seen"
        book.create_sheet("secret")["B2"] = "unseen"
        book["secret"].sheet_state = "hidden"
        book.create_sheet("empty")

    assert texts(read(workbook(fill))) == ["Sheet", "seen", "secret", "unseen"]


def test_blank_rows_part_tables_and_blank_columns_are_left_out() -> None:
    def fill(book: openpyxl.Workbook) -> None:
        for row in (["a", None, "b"], [1, None, 2], [], ["c", None, "d"], [3, None, 4]):
            book.active.append(row)

    assert texts(read(workbook(fill)))[1:] == [
        "| a | b |\n| --- | --- |\n| 1 | 2 |",
        "| c | d |\n| --- | --- |\n| 3 | 4 |",
    ]


def test_a_title_above_a_table_is_not_its_header() -> None:
    def fill(book: openpyxl.Workbook) -> None:
        for row in (["月次報告"], ["項目", "値"], ["x", 1]):
            book.active.append(row)

    assert texts(read(workbook(fill)))[1:] == ["月次報告", "| 項目 | 値 |\n| --- | --- |\n| x | 1 |"]


def test_dates_percentages_and_money_read_as_people_see_them() -> None:
    def fill(book: openpyxl.Workbook) -> None:
        page = book.active
        page.append(["日付", "時刻", "率", "金額", "和"])
        page.append(
            [
                datetime.date(2024, 4, 1),
                datetime.datetime.fromisoformat("2024-04-01T09:30"),
                0.125,
                1234567,
                0.1 + 0.2,
            ]
        )
        page["C2"].number_format = "0.0%"
        page["D2"].number_format = '"¥"#,##0'

    assert texts(read(workbook(fill)))[1].split("\n")[2] == (
        "| 2024-04-01 | 2024-04-01 09:30 | 12.5% | ¥1,234,567 | 0.3 |"
    )


@pytest.mark.parametrize(
    ("value", "code", "expected"),
    [
        ("45383", "yyyy/m/d", "2024-04-01"),
        ("45383.75", '[$-411]ggge"年"m"月"d"日"', "2024-04-01 18:00"),
        ("0.5", "h:mm", "12:00"),
        ("1.5", "[h]:mm", "36:00"),
        ("-1234.5", "#,##0.00;[Red]▲#,##0.00", "▲1,234.50"),
        ("-3", "0", "-3"),
        ("1500000", '#,##0,"千円"', "1,500千円"),
        ("12", "[$€-407] #,##0.00", "€ 12.00"),
        ("5", '0"個"', "5個"),
        ("0.25", "# ?/?", "0.25"),
        ("7", '"Grade "General', "7"),
        ("1e30", "#,##0", "1e+30"),
        ("1234567890123", "General", "1234567890123"),
        ("2.5", "0.##", "2.5"),
        ("2", "0.##", "2"),
        ("2.675", "0.00", "2.68"),
        ("99999999", "yyyy-mm-dd", "99999999"),
        ("nan", "0.0", "nan"),
        ("no number", "0.0", "no number"),
    ],
)
def test_number_formats(value: str, code: str, expected: str) -> None:
    assert shown_number(value, code) == expected


def test_days_may_be_counted_from_1904() -> None:
    assert shown_number("365", "yyyy-mm-dd", since_1904=True) == "1904-12-31"


def test_japanese_date_formats_that_are_named_by_number_only() -> None:
    styles = (
        f'<styleSheet xmlns="{MAIN}"><cellXfs><xf numFmtId="0"/><xf numFmtId="31"/></cellXfs></styleSheet>'
    )
    data = with_part(sheet('<row r="1"><c r="A1" s="1"><v>45383</v></c></row>'), "xl/styles.xml", styles)
    assert texts(read(data))[1] == "2024-04-01"


def test_a_formula_gives_its_stored_value_and_one_without_is_named() -> None:
    rows = (
        '<row r="1"><c r="A1"><f>1+1</f><v>2</v></c><c r="B1"><f>A1*2</f></c>'
        '<c r="C1" t="str"><f>""</f><v></v></c></row>'
    )
    result = read(sheet(rows))
    assert texts(result)[1] == "2"
    assert result.warnings == [
        "sheet Sheet: 1 formula has no stored value (B1): open the file in a spreadsheet program and save it"
    ]


def test_a_workbook_of_uncomputed_formulas_is_not_silently_empty() -> None:
    with pytest.raises(ReadError, match="no stored value") as error:
        read(sheet('<row r="1"><c r="A1"><f>1+1</f></c></row>'))
    assert error.value.outcome is Outcome.EMPTY


def test_a_merged_cell_says_its_value_in_each_of_its_rows() -> None:
    def fill(book: openpyxl.Workbook) -> None:
        for row in (["部", "名"], ["営業", "佐藤"], [None, "鈴木"]):
            book.active.append(row)
        book.active.merge_cells("A2:A3")

    assert texts(read(workbook(fill)))[1].split("\n")[2:] == ["| 営業 | 佐藤 |", "| 営業 | 鈴木 |"]


def test_readings_of_furigana_are_left_out() -> None:
    strings = (
        f'<sst xmlns="{MAIN}"><si><t>東京</t><rPh sb="0" eb="2"><t>トウキョウ</t></rPh></si>'
        "<si><r><t>a_x000D_</t></r><r><t>b</t></r></si></sst>"
    )
    data = sheet('<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c></row>')
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        related = archive.read("xl/_rels/workbook.xml.rels").decode()
    shared = '<Relationship Id="rId99" Type="http://x/sharedStrings" Target="sharedStrings.xml"/>'
    related = related.replace("</Relationships>", shared + "</Relationships>")
    data = with_part(data, "xl/_rels/workbook.xml.rels", related)
    assert texts(read(with_part(data, "xl/sharedStrings.xml", strings)))[1] == "| 東京 | a b |\n| --- | --- |"


def test_comments_are_read() -> None:
    def fill(book: openpyxl.Workbook) -> None:
        book.active["A1"] = "値"
        book.active["A1"].comment = Comment("要確認です", "佐藤")

    assert texts(read(workbook(fill)))[2] == "Comment on A1: 要確認です"


def test_a_sheet_that_declares_a_million_rows_costs_no_time() -> None:
    far = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>2</v></c></row>'
    merged = '<mergeCells><mergeCell ref="A1:A1048576"/></mergeCells>'
    began = time.perf_counter()
    assert texts(read(sheet(far, merged)))[1:] == ["1", "2"]
    assert time.perf_counter() - began < 10


def test_what_the_workbook_says_of_itself() -> None:
    def fill(book: openpyxl.Workbook) -> None:
        book.active["A1"] = "x"
        book.properties.title, book.properties.creator = "年報", "佐藤太郎; Jane Roe"
        book.properties.keywords = "売上, 2024"
        book.properties.created = datetime.datetime(2024, 4, 1, 9, 0, tzinfo=datetime.UTC)

    result = read(workbook(fill))
    assert (result.title, result.authors) == ("年報", ("佐藤太郎", "Jane Roe"))
    assert result.tags == {"keywords": ("売上", "2024")}
    assert (result.created or "").startswith("2024-04-01T09:00:00")


def test_a_damaged_sheet_is_named_and_costs_no_other() -> None:
    def fill(book: openpyxl.Workbook) -> None:
        book.active["A1"] = "lost"
        book.create_sheet("残り")["A1"] = "kept"

    result = read(with_part(workbook(fill), "xl/worksheets/sheet1.xml", "<worksheet><broken"))
    assert texts(result) == ["残り", "kept"]
    assert result.warnings[0].startswith("sheet Sheet is damaged and was not read: ")
    with pytest.raises(ReadError, match="sheet Sheet is damaged") as error:
        read(with_part(workbook(lambda book: None), "xl/worksheets/sheet1.xml", "<worksheet><broken"))
    assert error.value.outcome is Outcome.FAILED


def test_damaged_properties_cost_no_text() -> None:
    data = with_part(sheet('<row r="1"><c r="A1"><v>1</v></c></row>'), "docProps/core.xml", "<broken")
    result = read(data)
    assert texts(result) == ["Sheet", "1"]
    assert result.warnings == ["its title, authors and dates are damaged and were not read"]


def test_an_empty_workbook_is_named_empty() -> None:
    with pytest.raises(ReadError) as error:
        read(workbook(lambda book: None))
    assert error.value.outcome is Outcome.EMPTY


def test_entities_are_never_expanded() -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    rows = '<row r="1"><c r="A1" t="inlineStr"><is><t>&b;</t></is></c><c r="B1"><v>1</v></c></row>'
    content = f'{bomb}<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>'
    data = with_part(workbook(lambda book: None), "xl/worksheets/sheet1.xml", content)
    assert "aaaa" not in "".join(texts(read(data)))
