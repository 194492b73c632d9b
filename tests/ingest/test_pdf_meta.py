"""What a PDF says of itself, and the files embedded in it."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pypdf
import pytest

from ingest.blocks import BlockKind, ReadOptions, ReadResult
from ingest.readers import pdf_attachments
from ingest.readers.pdf import read

Make = Callable[..., bytes]
Place = Callable[..., list[Any]]

PROSE = ["The ward keeps its medicines in a locked cupboard that only the nurse in charge may open."]
XMP = """<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?><x:xmpmeta xmlns:x='adobe:ns:meta/'>
<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description rdf:about=''
 xmlns:dc='http://purl.org/dc/elements/1.1/' xmlns:xmp='http://ns.adobe.com/xap/1.0/'>
<dc:title><rdf:Alt><rdf:li xml:lang='x-default'>薬品管理手順書</rdf:li></rdf:Alt></dc:title>
<dc:creator><rdf:Seq><rdf:li>山田 太郎</rdf:li><rdf:li>Smith, J.</rdf:li></rdf:Seq></dc:creator>
<dc:subject><rdf:Bag><rdf:li>薬剤</rdf:li><rdf:li>ward</rdf:li></rdf:Bag></dc:subject>
<xmp:CreateDate>2024-03-05T10:20:30Z</xmp:CreateDate></rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end='w'?>"""


def rewritten(data: bytes, change: Callable[[pypdf.PdfWriter], None]) -> bytes:
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(data))
    change(writer)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def told(make_pdf: Make, **entries: str) -> ReadResult:
    page = [[(72, 700, 11, PROSE[0])]]
    info = {f"/{key}": value for key, value in entries.items()}
    return read(rewritten(make_pdf(page), lambda writer: writer.add_metadata(info)))


def with_files(data: bytes, files: dict[str, bytes], options: ReadOptions | None = None) -> ReadResult:
    def attach(writer: pypdf.PdfWriter) -> None:
        for name, content in files.items():
            writer.add_attachment(name, content)

    return read(rewritten(data, attach), options or ReadOptions())


def test_dates_are_iso_8601_with_the_zone_they_were_written_in(make_pdf: Make) -> None:
    result = told(make_pdf, CreationDate="D:20240305102030+09'00'", ModDate="D:20240401000000Z")
    assert result.created == "2024-03-05T10:20:30+09:00"
    assert result.modified == "2024-04-01T00:00:00+00:00"


@pytest.mark.parametrize("date", ["yesterday", "D:20249999", "", "D:"])
def test_a_date_that_is_none_is_left_out(make_pdf: Make, date: str) -> None:
    result = told(make_pdf, CreationDate=date)
    assert result.created is None
    assert result.blocks


def test_authors_and_key_words_are_told_apart(make_pdf: Make) -> None:
    result = told(make_pdf, Author="Smith, John; 山田 太郎", Keywords="薬剤, ward; 病棟、ward")
    assert result.authors == ("Smith, John", "山田 太郎")
    assert result.tags == {"keywords": ("薬剤", "ward", "病棟")}


def test_what_a_program_put_there_is_no_author(make_pdf: Make) -> None:
    result = told(make_pdf, Author="(anonymous)", Keywords="", Title="untitled")
    assert (result.authors, result.tags, result.title) == ((), {}, None)


def test_xmp_tells_what_the_info_does_not(make_pdf: Make, place: Place) -> None:
    def describe(writer: pypdf.PdfWriter) -> None:
        writer.xmp_metadata = XMP.encode()

    result = read(rewritten(make_pdf([place(PROSE)]), describe))
    assert result.title == "薬品管理手順書"
    assert result.authors == ("山田 太郎", "Smith, J.")
    assert result.tags == {"keywords": ("薬剤", "ward")}
    assert (result.created or "").startswith("2024-03-05T10:20:30")


def test_embedded_files_follow_the_text_under_a_heading(make_pdf: Make, place: Place) -> None:
    result = with_files(make_pdf([place(PROSE)]), {"投与量.csv": "薬,量\nアスピリン,100 mg\n".encode()})
    assert result.blocks[0].text == PROSE[0]
    heading = result.blocks[1]
    assert (heading.kind, heading.text, heading.page) == (BlockKind.HEADING, "Attachment: 投与量.csv", None)
    assert "アスピリン" in result.blocks[2].text
    assert result.warnings == []


def test_at_depth_0_embedded_files_are_named_and_not_read(make_pdf: Make, place: Place) -> None:
    options = ReadOptions(attachment_depth=0)
    result = with_files(make_pdf([place(PROSE)]), {"notes.txt": b"Some notes."}, options)
    assert len(result.blocks) == 1
    assert result.warnings == ["attachment notes.txt was not read: it lies too deep"]


def test_an_embedded_file_that_cannot_be_read_is_named_and_costs_nothing_else(
    make_pdf: Make, place: Place
) -> None:
    files = {"a.pdf": b"%PDF-1.7 broken", "b.txt": b"Some notes."}
    result = with_files(make_pdf([place(PROSE)]), files)
    assert any(warning.startswith("attachment a.pdf was not read") for warning in result.warnings)
    assert result.blocks[-1].text == "Some notes."


def test_a_cover_sheet_without_text_is_read_for_the_files_in_it(make_pdf: Make) -> None:
    result = with_files(make_pdf([[]]), {"notes.txt": b"Some notes."})
    assert [block.text for block in result.blocks] == ["Attachment: notes.txt", "Some notes."]
    assert result.empty_pages == (1,)


def test_embedded_files_are_bounded_in_number_and_in_size(
    make_pdf: Make, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = make_pdf([place(PROSE)])
    files = {f"{number}.txt": b"Some notes." * 10 for number in range(5)}
    monkeypatch.setattr(pdf_attachments, "_MOST_FILES", 2)
    result = with_files(data, files)
    assert sum(block.text.startswith("Attachment:") for block in result.blocks) == 2
    assert result.warnings == ["only the first 2 attachments were read"]
    monkeypatch.setattr(pdf_attachments, "_MOST_FILES", 9)
    monkeypatch.setattr(pdf_attachments, "_MOST_BYTES", 250)
    result = with_files(data, files)
    assert sum(block.text.startswith("Attachment:") for block in result.blocks) == 2
    assert result.warnings == ["attachment 2.txt was not read: the attachments are too large"]


def test_public_files_tell_their_dates(documents: Path) -> None:
    result = read((documents / "pdfjs__vertical.pdf").read_bytes())
    assert result.created == "2013-02-07T01:21:37+09:00"
