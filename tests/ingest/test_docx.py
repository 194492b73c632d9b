from __future__ import annotations

import contextlib
import datetime
import io
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import docx
import pytest
from docx.oxml import parse_xml
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.blocks import BlockKind, Outcome, ReadError
from ingest.readers.docx import read
from ingest.readers.docx_numbering import in_format

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


NUMBERING = (
    '<w:abstractNum w:abstractNumId="90"><w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/>'
    '<w:suff w:val="nothing"/><w:lvlText w:val="第%1条"/></w:lvl><w:lvl w:ilvl="1"><w:start w:val="1"/>'
    '<w:numFmt w:val="lowerLetter"/><w:lvlText w:val="(%2)"/></w:lvl><w:lvl w:ilvl="2"><w:start w:val="1"/>'
    '<w:numFmt w:val="irohaFullWidth"/><w:lvlText w:val="%3"/></w:lvl></w:abstractNum>'
)


def with_body(*elements: str, numbering: bool = False) -> bytes:
    """Write a document whose body are these elements."""
    document = docx.Document()
    body = document.element.body
    for at, element in enumerate(elements):
        body.insert(at, parse_xml(element.replace(">", f" {W}>", 1) if W not in element else element))
    if numbering:
        root = document.part.numbering_part.element
        root.insert(0, parse_xml(NUMBERING.replace(">", f" {W}>", 1)))
        root.append(parse_xml(f'<w:num {W} w:numId="90"><w:abstractNumId w:val="90"/></w:num>'))
    return saved(document)


def item(text: str, level: int) -> str:
    return (
        f'<w:p><w:pPr><w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="90"/></w:numPr></w:pPr>'
        f"<w:r><w:t>{text}</w:t></w:r></w:p>"
    )


SHOWN = '<w:vanish w:val="0"/>'


def run(text: str, properties: str = "") -> str:
    return f"<w:r><w:rPr>{properties}</w:rPr><w:t>{text}</w:t></w:r>"


def test_numbers_that_word_writes_itself_are_in_the_text() -> None:
    data = with_body(
        item("（目的）", 0),
        item("この規則は、休暇を定める。", 0),
        item("first", 1),
        item("second", 1),
        item("細目", 2),
        item("（附則）", 0),
        item("again", 1),
        numbering=True,
    )
    assert texts(data) == [
        ("heading", "第1条（目的）"),
        ("paragraph", "第2条この規則は、休暇を定める。"),
        ("list_item", "  (a) first"),
        ("list_item", "  (b) second"),
        ("list_item", "    イ 細目"),
        ("heading", "第3条（附則）"),
        ("list_item", "  (a) again"),
    ]


@pytest.mark.parametrize(
    ("number", "name", "written"),
    [
        (28, "upperLetter", "BB"),
        (14, "lowerRoman", "xiv"),
        (112, "japaneseCounting", "百十二"),
        (10, "ideographDigital", "一〇"),
        (3, "ideographTraditional", "丙"),
        (4, "decimalEnclosedCircle", "④"),
        (21, "decimalEnclosedCircle", "21"),
        (12, "decimalFullWidth", "１２"),
        (7, "somethingNew", "7"),
    ],
)
def test_numbers_are_written_in_the_format_of_their_list(number: int, name: str, written: str) -> None:
    assert in_format(number, name) == written


def test_hidden_text_prompts_and_page_fields_are_left_out_and_symbols_are_read() -> None:
    field = '<w:r><w:fldChar w:fldCharType="{}"/></w:r>'
    eq = r"EQ \* jc2 \* hps10 \o\ad(\s\up 9(とうきょう),東京)"
    data = with_body(
        f"<w:p>{run('seen ')}{run('hidden', '<w:vanish/>')}{run('too', SHOWN)}</w:p>",
        "<w:sdt><w:sdtPr><w:showingPlcHdr/></w:sdtPr><w:sdtContent><w:p><w:r><w:t>Click here</w:t></w:r></w:p>"
        "</w:sdtContent></w:sdt>",
        f"<w:p>{field.format('begin')}<w:r><w:instrText>{eq}</w:instrText></w:r>{field.format('end')}</w:p>",
        '<w:p><w:r><w:sym w:font="Symbol" w:char="F06D"/><w:t>m </w:t>'
        '<w:sym w:font="Wingdings" w:char="F0FE"/></w:r></w:p>',
        f"<w:p>{field.format('begin')}<w:r><w:instrText> REF x </w:instrText></w:r>{field.format('separate')}"
        f"{run('the result')}{field.format('end')}</w:p>",
    )
    assert [text for _, text in texts(data)] == ["seen too", "東京", "μm ☑", "the result"]


def test_formulas_are_read() -> None:
    m = 'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
    data = with_body(
        f"<w:p {W} {m}><m:oMath><m:r><m:t>E=m</m:t></m:r><m:sSup><m:e><m:r><m:t>c</m:t></m:r></m:e>"
        "<m:sup><m:r><m:t>2</m:t></m:r></m:sup></m:sSup><m:f><m:num><m:r><m:t>a+b</m:t></m:r></m:num>"
        "<m:den><m:r><m:t>2</m:t></m:r></m:den></m:f></m:oMath></w:p>"
    )
    assert [text for _, text in texts(data)] == ["E=mc^2(a+b)/2"]


def test_a_nested_table_is_flattened_and_a_deleted_row_is_gone() -> None:
    document = docx.Document()
    table = document.add_table(rows=3, cols=2)
    for cell, text in zip([c for row in table.rows for c in row.cells], "abcdef", strict=True):
        cell.text = text
    inner = table.cell(1, 1).add_table(rows=2, cols=2)
    for cell, text in zip([c for row in inner.rows for c in row.cells], "wxyz", strict=True):
        cell.text = text
    table.rows[2]._tr.get_or_add_trPr().append(parse_xml(f"<w:del {W}/>"))
    assert texts(saved(document)) == [("table", "| a | b |\n| --- | --- |\n| c | d w x y z |")]


def test_running_heads_are_read_once_and_without_their_page_numbers() -> None:
    document = docx.Document()
    document.add_paragraph("Body")
    field = f'<w:fldSimple {W} w:instr=" PAGE "><w:r><w:t>7</w:t></w:r></w:fldSimple>'
    for number in range(2):
        section = document.sections[0] if number == 0 else document.add_section()
        section.header.is_linked_to_previous = section.footer.is_linked_to_previous = False
        section.header.paragraphs[0].text = "取扱注意 規程集"
        section.footer.paragraphs[0].text = "- "
        section.footer.paragraphs[0]._p.append(parse_xml(field))
        document.add_paragraph(f"Section {number}")
    assert [text for _, text in texts(saved(document))] == [
        "Body",
        "Section 0",
        "Section 1",
        "取扱注意 規程集",
    ]


def with_part(data: bytes, name: str, body: str | bytes) -> bytes:
    """Put a part into a package, in place of the one there or as a new one."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for each in {*old.namelist(), name}:
            new.writestr(each, body if each == name else old.read(each))
    return out.getvalue()


def test_a_footnote_stands_behind_the_paragraph_that_refers_to_it() -> None:
    data = with_body(
        '<w:p><w:r><w:t>With a note</w:t><w:footnoteReference w:id="2"/><w:t>.</w:t></w:r></w:p>',
        "<w:p><w:r><w:t>Next</w:t></w:r></w:p>",
    )
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        relations = archive.read("word/_rels/document.xml.rels").decode()
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/footnotes"
    link = f'<Relationship Id="rIdN" Type="{kind}" Target="footnotes.xml"/></Relationships>'
    linked = with_part(data, "word/_rels/document.xml.rels", relations.replace("</Relationships>", link))
    notes = (
        f'<w:footnotes {W}><w:footnote w:type="separator" w:id="0"><w:p><w:r><w:t>---</w:t></w:r></w:p>'
        '</w:footnote><w:footnote w:id="2"><w:p><w:r><w:footnoteRef/><w:t> The note.</w:t></w:r></w:p>'
        "</w:footnote></w:footnotes>"
    )
    whole = with_part(linked, "word/footnotes.xml", notes)
    assert [text for _, text in texts(whole)] == ["With a note¹.", "¹ The note.", "Next"]


def test_core_properties_are_what_the_document_says_of_itself() -> None:
    document = docx.Document()
    document.add_paragraph("Body")
    properties = document.core_properties
    properties.author, properties.keywords, properties.category = "佐藤; Ann Lee", "休暇、leave; 規程", "人事"
    properties.created = datetime.datetime(2024, 3, 5, 1, 2, 3)  # noqa: DTZ001
    result = read(saved(document))
    assert result.authors == ("佐藤", "Ann Lee")
    assert result.tags == {"keywords": ("休暇", "leave", "規程"), "category": ("人事",)}
    assert result.created == "2024-03-05T01:02:03+00:00"


def test_documents_with_macros_templates_and_the_strict_form_are_read() -> None:
    data = with_body("<w:p><w:r><w:t>本文</w:t></w:r></w:p>")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        types = archive.read("[Content_Types].xml").decode()
        body = archive.read("word/document.xml").decode()
    plain = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    for other in (
        "application/vnd.ms-word.document.macroEnabled.main+xml",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.template.main+xml",
    ):
        changed = with_part(data, "[Content_Types].xml", types.replace(plain, other))
        assert texts(changed) == [("paragraph", "本文")]
    strict = body.replace(
        "http://schemas.openxmlformats.org/wordprocessingml/2006/main",
        "http://purl.oclc.org/ooxml/wordprocessingml/main",
    )
    assert texts(with_part(data, "word/document.xml", strict)) == [("paragraph", "本文")]


DAMAGED = with_body("<w:p><w:r><w:t>本文</w:t></w:r></w:p>", item("one", 0), numbering=True)


@given(st.integers(0, 1 << 20), st.integers(0, 255), st.booleans())
@settings(max_examples=60, deadline=None)
def test_damaged_files_raise_nothing_but_a_read_error(place: int, value: int, cut: bool) -> None:
    data = bytearray(DAMAGED)
    at = place % len(data)
    if cut:
        del data[at:]
    else:
        data[at] = value
    with contextlib.suppress(ReadError):
        read(bytes(data))


@given(st.binary(max_size=200))
@settings(max_examples=60, deadline=None)
def test_a_body_of_any_bytes_raises_nothing_but_a_read_error(body: bytes) -> None:
    with contextlib.suppress(ReadError):
        read(with_part(DAMAGED, "word/document.xml", body))


def test_a_handbook_of_872_pages_needs_little_memory(documents: Path) -> None:
    data = (documents / "unstructured__handbook-872p.docx").read_bytes()
    tracemalloc.start()
    result = read(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(len(block.text) for block in result.blocks) > 800_000
    assert peak < 40_000_000
