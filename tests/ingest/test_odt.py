from __future__ import annotations

import contextlib
import io
import itertools
import time
import zipfile
from collections.abc import Callable

import pytest

from ingest.blocks import Block, BlockKind, Outcome, ReadError, ReadResult
from ingest.readers import odp, ods, odt

NAMES = " ".join(
    f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{long}:1.0"'
    for short, long in [
        ("office", "office"),
        ("text", "text"),
        ("table", "table"),
        ("draw", "drawing"),
        ("presentation", "presentation"),
        ("meta", "meta"),
        ("manifest", "manifest"),
    ]
)
META = (
    "<office:meta><dc:title>年次報告</dc:title><meta:initial-creator>佐藤</meta:initial-creator>"
    "<dc:creator>Someone else</dc:creator><meta:creation-date>2024-04-01T09:00:00.123456789</meta:creation-date>"
    "<dc:date>2024-05-02T10:00:00</dc:date><meta:keyword>売上</meta:keyword><meta:keyword>費用</meta:keyword>"
    "<dc:language>ja-JP</dc:language></office:meta>"
)


def odf(kind: str, body: str, *, styles: str = "", encrypted: bool = False, head: str = "") -> bytes:
    dc = 'xmlns:dc="http://purl.org/dc/elements/1.1/"'
    out = io.BytesIO()
    secret = "<manifest:encryption-data/>" if encrypted else ""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", f"application/vnd.oasis.opendocument.{kind}")
        archive.writestr(
            "META-INF/manifest.xml",
            f"<manifest:manifest {NAMES}><manifest:file-entry>{secret}</manifest:file-entry></manifest:manifest>",
        )
        archive.writestr("meta.xml", f"<office:document-meta {NAMES} {dc}>{META}</office:document-meta>")
        archive.writestr(
            "content.xml",
            f"{head}<office:document-content {NAMES} {dc}>"
            f"<office:automatic-styles>{styles}</office:automatic-styles>"
            f"<office:body><office:{kind}>{body}</office:{kind}></office:body></office:document-content>",
        )
    return out.getvalue()


def blocks(body: str, styles: str = "") -> list[Block]:
    return odt.read(odf("text", body, styles=styles)).blocks


def texts(body: str) -> list[str]:
    return [block.text for block in blocks(body)]


def test_headings_keep_their_level() -> None:
    body = '<text:h text:outline-level="2">背景</text:h><text:p>本文です。</text:p>'
    assert [(block.kind, block.level, block.text) for block in blocks(body)] == [
        (BlockKind.HEADING, 2, "背景"),
        (BlockKind.PARAGRAPH, 0, "本文です。"),
    ]


def test_lists_keep_their_levels_and_numbers() -> None:
    styles = (
        '<text:list-style xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0" style:name="L1">'
        '<text:list-level-style-number text:level="1"/></text:list-style>'
    )
    body = (
        '<text:list text:style-name="L1"><text:list-item><text:p>one</text:p><text:list text:style-name="B">'
        "<text:list-item><text:p>deep</text:p></text:list-item></text:list></text:list-item>"
        "<text:list-item><text:p>two</text:p></text:list-item></text:list>"
    )
    assert [block.text for block in blocks(body, styles)] == ["1. one", "  - deep", "2. two"]


def test_spaces_tabs_and_line_ends_are_restored() -> None:
    body = '<text:p>a<text:s text:c="3"/>b<text:tab/>c<text:line-break/>d<text:span>e</text:span></text:p>'
    assert texts(body) == ["a   b\tc\nde"]


def test_of_furigana_the_base_is_read() -> None:
    ruby = "<text:ruby><text:ruby-base>東京</text:ruby-base><text:ruby-text>とうきょう</text:ruby-text></text:ruby>"
    assert texts(f"<text:p>{ruby}へ行く</text:p>") == ["東京へ行く"]


def test_footnotes_stand_after_the_text_and_comments_nowhere() -> None:
    note = (
        "<text:note><text:note-citation>1</text:note-citation>"
        "<text:note-body><text:p>The note.</text:p></text:note-body></text:note>"
    )
    comment = "<office:annotation><text:p>aside</text:p></office:annotation>"
    assert texts(f"<text:p>Words{note} go{comment} on.</text:p><text:p>Next.</text:p>") == [
        "Words go on.",
        "Next.",
        "The note.",
    ]


def test_text_boxes_are_read_after_their_paragraph() -> None:
    frame = "<draw:frame><draw:text-box><text:p>in the box</text:p></draw:text-box></draw:frame>"
    assert texts(f"<text:p>around{frame}</text:p>") == ["around", "in the box"]


def test_deleted_text_and_tables_of_contents_are_left_out() -> None:
    body = (
        "<text:tracked-changes><text:p>deleted</text:p></text:tracked-changes>"
        "<text:table-of-content><text:index-body><text:p>Chapter 1 ... 3</text:p></text:index-body>"
        "</text:table-of-content><text:section><text:p>kept</text:p></text:section>"
    )
    assert texts(body) == ["kept"]


def cell(text: str, extra: str = "") -> str:
    return f"<table:table-cell {extra}><text:p>{text}</text:p></table:table-cell>"


def test_tables_are_rows() -> None:
    rows = (
        f"<table:table-header-rows><table:table-row>{cell('名')}{cell('値')}</table:table-row>"
        f"</table:table-header-rows><table:table-row>{cell('x')}{cell('1|2')}</table:table-row>"
    )
    assert texts(f"<table:table>{rows}</table:table>") == ["| 名 | 値 |\n| --- | --- |\n| x | 1¦2 |"]


@pytest.mark.parametrize("kind", ["text", "spreadsheet"])
def test_repeated_cells_and_rows_cost_nothing(kind: str) -> None:
    fill = '<table:table-cell table:number-columns-repeated="16384"/>'
    rows = (
        f"<table:table-row>{cell('a')}{cell('b')}{fill}</table:table-row>"
        f'<table:table-row table:number-rows-repeated="1048576">{fill}</table:table-row>'
        f'<table:table-row table:number-rows-repeated="1048576">{cell("c", MANY)}</table:table-row>'
    )
    began = time.perf_counter()
    read = odt.read if kind == "text" else ods.read
    result = read(odf(kind, f'<table:table table:name="S">{rows}</table:table>'))
    assert time.perf_counter() - began < 15
    assert any("| a | b |" in block.text for block in result.blocks)
    assert sum(len(block.text) for block in result.blocks) < 6_000_000


MANY = 'table:number-columns-repeated="16384"'


def test_sheets_are_headings_with_their_tables_below() -> None:
    first = (
        f"<table:table-row>{cell('日付')}{cell('率')}</table:table-row><table:table-row>"
        + cell("01.04.24", 'office:value-type="date" office:date-value="2024-04-01"')
        + cell("12.5%", 'office:value-type="percentage" office:value="0.125"')
        + "</table:table-row><table:table-row><table:table-cell/></table:table-row>"
        + f"<table:table-row>{cell('alone')}</table:table-row>"
    )
    result = ods.read(odf("spreadsheet", f'<table:table table:name="売上">{first}</table:table>'))
    assert [(block.kind, block.text) for block in result.blocks] == [
        (BlockKind.HEADING, "売上"),
        (BlockKind.TABLE, "| 日付 | 率 |\n| --- | --- |\n| 2024-04-01 | 12.5% |"),
        (BlockKind.PARAGRAPH, "alone"),
    ]


def test_slides_are_pages_with_their_title_first() -> None:
    def frame(text: str, kind: str) -> str:
        return (
            f'<draw:frame presentation:class="{kind}"><draw:text-box><text:p>{text}</text:p>'
            "</draw:text-box></draw:frame>"
        )

    notes = f"<presentation:notes>{frame('話す', 'notes')}</presentation:notes>"
    body = (
        f"<draw:page>{frame('text', 'outline')}{frame('題', 'title')}{notes}</draw:page>"
        f"<draw:page/><draw:page>{frame('Two', 'title')}</draw:page>"
    )
    result = odp.read(odf("presentation", body))
    assert [(block.kind, block.level, block.text, block.page) for block in result.blocks] == [
        (BlockKind.HEADING, 1, "題", 1),
        (BlockKind.PARAGRAPH, 0, "text", 1),
        (BlockKind.PARAGRAPH, 0, "Notes: 話す", 1),
        (BlockKind.HEADING, 2, "Two", 3),
    ]
    assert (result.pages, result.empty_pages) == (3, (2,))


def test_what_the_document_says_of_itself() -> None:
    result = odt.read(odf("text", "<text:p>x</text:p>"))
    assert (result.title, result.authors, result.language) == ("年次報告", ("佐藤",), "ja")
    assert result.tags == {"keywords": ("売上", "費用")}
    assert (result.created or "").startswith("2024-04-01T09:00:00")
    assert (result.modified or "").startswith("2024-05-02T10:00:00")


READERS: list[tuple[str, Callable[[bytes], ReadResult]]] = [
    ("text", odt.read),
    ("spreadsheet", ods.read),
    ("presentation", odp.read),
]


@pytest.mark.parametrize(("kind", "read"), READERS)
def test_encrypted_and_empty_files_are_named(kind: str, read: Callable[[bytes], ReadResult]) -> None:
    for data, expected in (
        (odf(kind, "x", encrypted=True), Outcome.ENCRYPTED),
        (odf(kind, ""), Outcome.EMPTY),
    ):
        with pytest.raises(ReadError) as error:
            read(data)
        assert error.value.outcome is expected


@pytest.mark.parametrize("levels", [2, 9])
def test_entities_are_never_expanded(levels: int) -> None:
    names = "abcdefghi"[:levels]
    inner = "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in itertools.pairwise(names))
    head = f'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">{inner}]>'
    began = time.perf_counter()
    found = ["kept"]
    with contextlib.suppress(ReadError):
        found = [
            block.text
            for block in odt.read(odf("text", f"<text:p>kept &{names[-1]};</text:p>", head=head)).blocks
        ]
    assert found == ["kept"]
    assert time.perf_counter() - began < 10


def test_files_of_a_library_are_read() -> None:
    odfdo = pytest.importorskip("odfdo")
    document = odfdo.Document("text")
    document.body.clear()
    document.body.append(odfdo.Header(1, "見出し"))
    document.body.append(odfdo.List(["一", "二"]))
    table = odfdo.Table("T", width=2, height=2)
    table.set_value((0, 0), "a")
    table.set_value((1, 1), 5)
    document.body.append(table)
    out = io.BytesIO()
    document.save(out)
    assert [block.text for block in odt.read(out.getvalue()).blocks] == [
        "見出し",
        "- 一",
        "- 二",
        "| a |  |\n| --- | --- |\n|  | 5 |",
    ]
