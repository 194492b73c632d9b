from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import docx
import pytest
from docx.oxml import parse_xml

from ingest.blocks import BlockKind, Outcome, ReadError
from ingest.readers.docx import read

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def saved(document: Any) -> bytes:
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def texts(data: bytes) -> list[tuple[str, str]]:
    return [(block.kind.value, block.text) for block in read(data).blocks]


def test_the_body_is_read_in_document_order() -> None:
    document = docx.Document()
    document.core_properties.title = "手順書"
    document.add_heading("安全", level=1)
    document.add_paragraph("最初の段落。")
    table = document.add_table(rows=2, cols=2)
    for cell, text in zip(
        [c for row in table.rows for c in row.cells], ["薬", "量", "A", "5 mg"], strict=True
    ):
        cell.text = text
    document.add_heading("Steps", level=2)
    document.add_paragraph("Wash", style="List Number")
    document.add_paragraph("Dry", style="List Number")
    document.add_paragraph("note", style="List Bullet")
    result = read(saved(document))
    assert result.title == "手順書"
    assert [(b.kind.value, b.level, b.text) for b in result.blocks] == [
        ("heading", 1, "安全"),
        ("paragraph", 0, "最初の段落。"),
        ("table", 0, "| 薬 | 量 |\n| --- | --- |\n| A | 5 mg |"),
        ("heading", 2, "Steps"),
        ("list_item", 0, "1. Wash"),
        ("list_item", 0, "2. Dry"),
        ("list_item", 0, "- note"),
    ]


def test_merged_cells_repeat_downwards_and_stay_once_across() -> None:
    document = docx.Document()
    table = document.add_table(rows=3, cols=3)
    for index, cell in enumerate(c for row in table.rows for c in row.cells):
        cell.text = str(index)
    table.cell(1, 0).merge(table.cell(2, 0)).text = "down"
    table.cell(0, 1).merge(table.cell(0, 2)).text = "across"
    assert texts(saved(document))[0][1].split("\n") == [
        "| 0 | across |  |",
        "| --- | --- | --- |",
        "| down | 4 | 5 |",
        "| down | 7 | 8 |",
    ]


def test_content_controls_deletions_and_furigana_read_as_a_person_reads_them() -> None:
    document = docx.Document()
    body = document.element.body
    body.insert(
        0,
        parse_xml(f"<w:sdt {W}><w:sdtContent><w:p><w:r><w:t>inside</w:t></w:r></w:p></w:sdtContent></w:sdt>"),
    )
    body.insert(
        1,
        parse_xml(
            f"<w:p {W}><w:r><w:t>kept </w:t></w:r><w:del><w:r><w:delText>gone</w:delText></w:r></w:del>"
            "<w:ins><w:r><w:t>added</w:t></w:r></w:ins></w:p>"
        ),
    )
    body.insert(
        2,
        parse_xml(
            f"<w:p {W}><w:r><w:ruby><w:rt><w:r><w:t>とうきょう</w:t></w:r></w:rt>"
            "<w:rubyBase><w:r><w:t>東京</w:t></w:r></w:rubyBase></w:ruby></w:r></w:p>"
        ),
    )
    assert [text for _, text in texts(saved(document))] == ["inside", "kept added", "東京"]


def test_a_frame_of_one_cell_is_text() -> None:
    document = docx.Document()
    document.add_table(rows=1, cols=1).cell(0, 0).text = "framed"
    assert texts(saved(document)) == [("paragraph", "framed")]


def test_an_empty_document_and_a_damaged_one_are_told_apart() -> None:
    with pytest.raises(ReadError) as empty:
        read(saved(docx.Document()))
    assert empty.value.outcome is Outcome.EMPTY
    with pytest.raises(ReadError) as damaged:
        read(saved(docx.Document())[:500])
    assert damaged.value.outcome is Outcome.FAILED
    assert "\n" not in str(damaged.value)


def test_text_boxes_are_read_once(documents: Path) -> None:
    flow = [text for _, text in texts((documents / "docling__textbox.docx").read_bytes())]
    assert flow.count("Student falls ill") == 1
    boxes = [text for _, text in texts((documents / "tika__testWORD_text_box.docx").read_bytes())]
    assert len(boxes) == 4
    assert boxes[0] == "This text is directly in the body of the document."
    assert sum("text box" in text for text in boxes) == 3


def test_the_awkward_public_files_are_read(documents: Path) -> None:
    controls = " ".join(
        text for _, text in texts((documents / "tika__testWORD_missing_text.docx").read_bytes())
    )
    for expected in ("Statement", "Seasoned professional", "BigCompany", "Rich_text_in_cell"):
        assert expected in controls
    assert texts((documents / "tika__testWORD_phonetic.docx").read_bytes()) == [("paragraph", "東京")]
    tables = read((documents / "docling__word_tables.docx").read_bytes()).blocks
    assert sum(block.kind is BlockKind.TABLE for block in tables) == 7
    short = read((documents / "unstructured__tables-with-incomplete-rows.docx").read_bytes()).blocks
    assert sum(block.kind is BlockKind.TABLE for block in short) == 6
