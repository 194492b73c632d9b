from __future__ import annotations

import datetime
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.opc.package import Part
from pptx.opc.packuri import PackURI
from pptx.oxml import parse_xml
from pptx.util import Inches

from ingest.blocks import BlockKind, Outcome, ReadError
from ingest.readers.pptx import read

TITLE_AND_BODY, TITLE_ONLY, BLANK = 1, 5, 6


def deck(fill: Callable[[Any], None]) -> bytes:
    presentation = Presentation()
    fill(presentation)
    out = io.BytesIO()
    presentation.save(out)
    return out.getvalue()


def slide(presentation: Any, layout: int, title: str = "") -> Any:
    added = presentation.slides.add_slide(presentation.slide_layouts[layout])
    if title:
        added.shapes.title.text = title
    return added


def box(shapes: Any, text: str, left: float, top: float) -> None:
    shapes.add_textbox(Inches(left), Inches(top), Inches(2), Inches(0.5)).text_frame.text = text


def texts(data: bytes) -> list[str]:
    return [block.text for block in read(data).blocks]


def test_a_slide_is_a_page_with_its_title_as_heading() -> None:
    def fill(presentation: Any) -> None:
        slide(presentation, TITLE_ONLY, "年次報告")
        slide(presentation, TITLE_ONLY, "Results")

    result = read(deck(fill))
    assert [(block.kind, block.level, block.text, block.page) for block in result.blocks] == [
        (BlockKind.HEADING, 1, "年次報告", 1),
        (BlockKind.HEADING, 2, "Results", 2),
    ]
    assert result.pages == 2


def test_text_is_read_from_top_to_bottom_and_left_to_right() -> None:
    def fill(presentation: Any) -> None:
        shapes = slide(presentation, TITLE_ONLY, "T").shapes
        box(shapes, "fourth", 1, 4)
        box(shapes, "third", 5, 2.1)
        box(shapes, "second", 1, 2.2)

    assert texts(deck(fill)) == ["T", "second", "third", "fourth"]


def test_items_of_the_body_are_a_list_with_its_levels() -> None:
    def fill(presentation: Any) -> None:
        frame = slide(presentation, TITLE_AND_BODY, "T").placeholders[1].text_frame
        frame.text = "一つ目"
        frame.add_paragraph().text = "深い"
        frame.paragraphs[1].level = 1

    blocks = read(deck(fill)).blocks[1:]
    assert [(block.kind, block.text) for block in blocks] == [
        (BlockKind.LIST_ITEM, "- 一つ目"),
        (BlockKind.LIST_ITEM, "  - 深い"),
    ]


def test_groups_are_read_in_their_place() -> None:
    def fill(presentation: Any) -> None:
        shapes = slide(presentation, BLANK).shapes
        box(shapes, "last", 1, 5)
        group = shapes.add_group_shape()
        box(group.shapes, "inner b", 1, 3)
        box(group.shapes, "inner a", 1, 2)

    assert texts(deck(fill)) == ["inner a", "inner b", "last"]


def test_shapes_that_need_a_newer_powerpoint_are_read() -> None:
    def fill(presentation: Any) -> None:
        shapes = slide(presentation, BLANK).shapes
        box(shapes, "formula text", 1, 1)
        inner = shapes[0]._element
        mc = "http://schemas.openxmlformats.org/markup-compatibility/2006"
        wrapper = parse_xml(
            f'<mc:AlternateContent xmlns:mc="{mc}"><mc:Choice Requires="a14"/></mc:AlternateContent>'
        )
        inner.addprevious(wrapper)
        wrapper[0].append(inner)

    assert texts(deck(fill)) == ["formula text"]


def test_smart_art_gives_its_texts() -> None:
    def fill(presentation: Any) -> None:
        added = slide(presentation, BLANK)
        points = "".join(
            f"<dgm:pt><dgm:t><a:p><a:r><a:t>{text}</a:t></a:r></a:p></dgm:t></dgm:pt>"
            for text in ("計画", "実行")
        )
        names = (
            'xmlns:dgm="http://schemas.openxmlformats.org/drawingml/2006/diagram" '
            'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
            'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" '
            'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'
        )
        part = Part(
            PackURI("/ppt/diagrams/data1.xml"),
            "application/vnd.openxmlformats-officedocument.drawingml.diagramData+xml",
            added.part.package,
            f"<dgm:dataModel {names}><dgm:ptLst>{points}</dgm:ptLst></dgm:dataModel>".encode(),
        )
        related = added.part.relate_to(part, "http://x/diagramData")
        added.shapes._spTree.append(
            parse_xml(
                f'<p:graphicFrame {names}><p:nvGraphicFramePr><p:cNvPr id="9" name="d"/><p:cNvGraphicFramePr/>'
                "<p:nvPr/></p:nvGraphicFramePr><p:xfrm/><a:graphic>"
                '<a:graphicData uri="http://schemas.openxmlformats.org/drawingml/2006/diagram">'
                f'<dgm:relIds r:dm="{related}"/></a:graphicData></a:graphic></p:graphicFrame>'
            )
        )

    assert texts(deck(fill)) == ["- 計画", "- 実行"]


def test_tables_are_rows_and_merged_cells_say_their_text_once() -> None:
    def fill(presentation: Any) -> None:
        shapes = slide(presentation, BLANK).shapes
        table = shapes.add_table(2, 2, Inches(1), Inches(1), Inches(4), Inches(1)).table
        for row, column, text in ((0, 0, "項目"), (0, 1, "x"), (1, 0, "a"), (1, 1, "b|c")):
            table.cell(row, column).text = text
        table.cell(0, 0).merge(table.cell(0, 1))

    assert texts(deck(fill)) == ["| 項目 x |  |\n| --- | --- |\n| a | b¦c |"]


def test_charts_give_their_title_and_values() -> None:
    def fill(presentation: Any) -> None:
        data: Any = CategoryChartData()  # type: ignore[no-untyped-call]
        data.categories = ["4月", "5月"]
        data.add_series("売上", (10, 20.5))
        data.add_series("費用", (5, None))
        frame = slide(presentation, BLANK).shapes.add_chart(
            XL_CHART_TYPE.COLUMN_CLUSTERED, Inches(1), Inches(1), Inches(4), Inches(3), data
        )
        frame.chart.has_title = True
        frame.chart.chart_title.text_frame.text = "推移"

    assert texts(deck(fill)) == [
        "推移",
        "|  | 売上 | 費用 |\n| --- | --- | --- |\n| 4月 | 10 | 5 |\n| 5月 | 20.5 |  |",
    ]


def test_notes_are_marked_and_belong_to_their_slide() -> None:
    def fill(presentation: Any) -> None:
        slide(presentation, TITLE_ONLY, "One")
        slide(presentation, TITLE_ONLY, "Two").notes_slide.notes_text_frame.text = "話す内容\nsecond line"

    last = read(deck(fill)).blocks[-1]
    assert (last.text, last.page) == ("Notes: 話す内容\nsecond line", 2)


def test_slides_without_text_are_listed_and_hidden_ones_read() -> None:
    def fill(presentation: Any) -> None:
        slide(presentation, BLANK)
        slide(presentation, TITLE_ONLY, "hidden")._element.set("show", "0")
        slide(presentation, BLANK)

    result = read(deck(fill))
    assert (result.pages, result.empty_pages) == (3, (1, 3))
    assert [block.text for block in result.blocks] == ["hidden"]


def test_a_deck_without_text_is_named_empty() -> None:
    with pytest.raises(ReadError) as error:
        read(deck(lambda presentation: slide(presentation, BLANK)))
    assert error.value.outcome is Outcome.EMPTY


def test_what_the_deck_says_of_itself() -> None:
    def fill(presentation: Any) -> None:
        slide(presentation, TITLE_ONLY, "x")
        known = presentation.core_properties
        known.title, known.author, known.keywords = "計画", "佐藤", "a; b"
        known.modified = datetime.datetime(2024, 5, 2, 8, 0, tzinfo=datetime.UTC)

    result = read(deck(fill))
    assert (result.title, result.authors, result.tags) == ("計画", ("佐藤",), {"keywords": ("a", "b")})
    assert (result.modified or "").startswith("2024-05-02T08:00:00")


def test_the_title_that_powerpoint_makes_up_is_none() -> None:
    def fill(presentation: Any) -> None:
        slide(presentation, TITLE_ONLY, "x")
        presentation.core_properties.title = "PowerPoint Presentation"

    assert read(deck(fill)).title is None


def test_public_presentation(documents: Path) -> None:
    result = read((documents / "markitdown__test.pptx").read_bytes())
    assert result.pages == 6
    assert result.title == "AutoGen: Enabling Next-Gen LLM Applications via Multi-Agent Conversation"
    whole = "\n".join(block.text for block in result.blocks)
    for expected in (
        "2cdda5c8-e50e-4db4-b5f0-9722a649f455",
        "1b92870d-e3b5-4e65-8153-919f4ff45592",
        "a3f6004b-6f4f-4ea8-bee3-3741f4dc385f",
        "04191ea8-5c73-4215-a1d3-1cfb43aaaf12",
    ):
        assert whole.count(expected) == 1
