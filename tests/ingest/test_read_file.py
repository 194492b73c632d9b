from __future__ import annotations

import contextlib
import io
import subprocess
import sys
import zipfile
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import docx
import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pptx import Presentation

from ingest.blocks import Outcome, ReadError
from ingest.readers import ENDING_LABELS, FORMATS, read_file, supported_endings


@pytest.fixture(scope="module")
def whole_files() -> dict[str, bytes]:
    """A small sound file of each format, by its ending."""
    return {
        ".pdf": small_pdf(),
        ".docx": small_docx(),
        ".pptx": small_pptx(),
        ".xlsx": small_xlsx(),
        ".odt": small_odf("text", "<text:h>見出し</text:h><text:p>本文です。</text:p>"),
        ".ods": small_odf("spreadsheet", f'<table:table table:name="S">{ROW}{ROW}</table:table>'),
        ".odp": small_odf(
            "presentation", "<draw:page><draw:frame><text:p>x</text:p></draw:frame></draw:page>"
        ),
        ".epub": small_epub(),
        ".rtf": b"{\\rtf1\\ansi\\ansicpg932{\\info{\\title t}}\\pard\\'93\\'fa text\\par{\\pict\\bin3 abc}\\u26085?}",
        ".html": b"<html><body><h1>Title</h1><table><tr><td>a</td><td>b</td></tr></table></body></html>",
        ".md": "# 見出し\n\n- a\n\n| a | b |\n|---|---|\n| 1 | 2 |\n".encode(),
        ".txt": "段落です。\n\n次の段落です。\n".encode("cp932"),
        ".csv": '名前,年齢\n"髙橋\n淳",35\n'.encode("cp932"),
        ".jsonl": '{"title": "題", "text": "本文"}\n{"text": "次"}\n'.encode(),
        ".eml": small_eml(),
    }


def saved(document: Any) -> bytes:
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def small_pdf() -> bytes:
    from pypdf import PdfWriter
    from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

    writer = PdfWriter()
    page = writer.add_blank_page(300, 300)
    font = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
        }
    )
    fonts = DictionaryObject({NameObject("/F1"): font})
    page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
    stream = DecodedStreamObject()
    stream.set_data(b"BT /F1 12 Tf 20 200 Td (A line of text.) Tj ET")
    page[NameObject("/Contents")] = writer._add_object(stream)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def small_docx() -> bytes:
    document = docx.Document()
    document.add_heading("Heading")
    document.add_table(rows=2, cols=2)
    return saved(document)


def small_pptx() -> bytes:
    presentation = Presentation()
    presentation.slides.add_slide(presentation.slide_layouts[1]).shapes.title.text = "題"
    return saved(presentation)


def small_xlsx() -> bytes:
    book = openpyxl.Workbook()
    book.active.append(["名", "値"])
    book.active.append(["x", 1.5])
    return saved(book)


ROW = "<table:table-row><table:table-cell><text:p>x</text:p></table:table-cell></table:table-row>"


def small_odf(kind: str, body: str) -> bytes:
    spaces = {"office": "office", "text": "text", "table": "table", "draw": "drawing"}
    names = " ".join(
        f'xmlns:{key}="urn:oasis:names:tc:opendocument:xmlns:{value}:1.0"' for key, value in spaces.items()
    )
    content = (
        f"<office:document-content {names}><office:body><office:{kind}>{body}</office:{kind}>"
        "</office:body></office:document-content>"
    )
    return zipped(
        {"mimetype": f"application/vnd.oasis.opendocument.{kind}", "content.xml": content, "meta.xml": "<x/>"}
    )


def small_epub() -> bytes:
    package = (
        '<package><manifest><item id="a" href="a.xhtml" media-type="application/xhtml+xml"/></manifest>'
        '<spine><itemref idref="a"/></spine></package>'
    )
    chapter = "<html><body><h1>章</h1><p>本文です。</p></body></html>"
    container = '<container><rootfiles><rootfile full-path="b.opf"/></rootfiles></container>'
    return zipped(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": container,
            "b.opf": package,
            "a.xhtml": chapter,
        }
    )


def small_eml() -> bytes:
    message = EmailMessage()
    message["From"], message["Subject"] = "佐藤 <a@example.jp>", "件名"
    message.set_content("本文です。")
    message.add_attachment(b"a,b\n1,2\n", maintype="text", subtype="csv", filename="表.csv")
    return message.as_bytes()


OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600


def outcome(path: Path) -> tuple[Outcome, str]:
    with pytest.raises(ReadError) as error:
        read_file(path)
    assert "\n" not in str(error.value)
    return error.value.outcome, str(error.value)


def written(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def zipped(members: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("empty.txt", b"", Outcome.EMPTY),
        ("text.pdf", b"no pdf at all", Outcome.FAILED),
        ("locked.docx", OLE + "EncryptedPackage".encode("utf-16-le"), Outcome.ENCRYPTED),
        ("old.docx", OLE, Outcome.UNSUPPORTED),
        ("cut.docx", b"PK\x03\x04 and then nothing", Outcome.FAILED),
        ("slides.pptx", zipped({"ppt/presentation.xml": "x"}), Outcome.FAILED),
        ("book.epub", zipped({"META-INF/container.xml": "x"}), Outcome.FAILED),
        ("archive.zip", zipped({"notes.txt": "x"}), Outcome.UNSUPPORTED),
        ("letter.msg", OLE + "__properties_version1.0".encode("utf-16-le"), Outcome.UNSUPPORTED),
        ("sound.mp3", b"ID3" + bytes(60), Outcome.UNSUPPORTED),
        ("table.csv", b"\x89PNG\r\n\x1a\n" + bytes(50), Outcome.UNSUPPORTED),
        ("picture.txt", b"\x89PNG\r\n\x1a\n" + b"\x00" * 50, Outcome.UNSUPPORTED),
        ("program", b"\x7fELF" + bytes(range(200)), Outcome.UNSUPPORTED),
        ("data.bin", bytes(range(256)), Outcome.UNSUPPORTED),
        ("source.xyz", b"plain text with an unknown ending", Outcome.UNSUPPORTED),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, data: bytes, expected: Outcome) -> None:
    assert outcome(written(tmp_path, name, data))[0] is expected


def test_messages_say_what_is_wrong(tmp_path: Path) -> None:
    assert outcome(written(tmp_path, "a.pdf", b"hello"))[1] == "not a PDF file"
    assert outcome(written(tmp_path, "a.odt", b"hello"))[1] == "not an OpenDocument text (.odt) file"
    assert outcome(written(tmp_path, "a.rtf", b"hello"))[1] == "not an RTF file"
    assert outcome(written(tmp_path, "a.eml", b"hello"))[1] == "not an e-mail (.eml) file"
    assert outcome(written(tmp_path, "a.epub", zipped({"x": ""})))[1] == "not an EPUB file or damaged"
    assert ".docx" in outcome(written(tmp_path, "a.xyz", b"a,b"))[1]
    assert (
        "save it as .eml"
        in outcome(written(tmp_path, "a.msg", OLE + "__properties_version1.0".encode("utf-16-le")))[1]
    )
    assert outcome(tmp_path / "missing.txt") == (
        Outcome.FAILED,
        "cannot be opened: No such file or directory",
    )


def test_each_ending_has_a_name_for_messages() -> None:
    assert tuple(ENDING_LABELS) == supported_endings()
    assert ENDING_LABELS[".pptx"] == "PowerPoint (.pptx)"


def test_a_small_file_of_each_format_is_read_by_its_own_reader(whole_files: dict[str, bytes]) -> None:
    for ending, data in whole_files.items():
        assert BY_NAME[read_file(Path("a" + ending), data).format] == ENDING_LABELS[ending]


BY_NAME = {each.name: each.label for each in FORMATS}


@pytest.mark.parametrize("ending", [".pdf", ".docx", ".pptx", ".xlsx", ".odt", ".ods", ".epub", ".rtf"])
@pytest.mark.parametrize("wrong", [".pdf", ".xlsx", ".txt", ".doc", ".csv", ""])
def test_plain_content_is_read_whatever_the_file_is_called(
    whole_files: dict[str, bytes], ending: str, wrong: str
) -> None:
    found = read_file(Path("a" + wrong), whole_files[ending])
    assert BY_NAME[found.format] == ENDING_LABELS[ending]


def test_letters_are_known_by_their_headers_where_no_text_ending_says_otherwise(
    whole_files: dict[str, bytes],
) -> None:
    letter = whole_files[".eml"]
    assert read_file(Path("1712345.M1P2.host"), letter).format == "eml"
    assert read_file(Path("letter.pdf"), letter).format == "eml"
    assert read_file(Path("saved.txt"), letter).format == "text"
    assert outcome_of("notes.xyz", b"Subject: x\nTo do: y\n\ntext") is Outcome.UNSUPPORTED


def outcome_of(name: str, data: bytes) -> Outcome:
    with pytest.raises(ReadError) as error:
        read_file(Path(name), data)
    return error.value.outcome


def test_pages_saved_under_the_ending_of_a_spreadsheet_are_read_as_pages() -> None:
    page = b"<html><body><table><tr><td>a</td><td>b</td></tr></table></body></html>"
    for ending in (".xls", ".csv", ".xlsx"):
        assert read_file(Path("export" + ending), page).format == "html"


def test_the_main_part_of_an_office_file_may_have_any_name(whole_files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(io.BytesIO(whole_files[".xlsx"])) as archive:
        members = {name: archive.read(name).decode() for name in archive.namelist()}
    moved = {
        name.replace("xl/workbook.xml", "xl/book9.xml").replace("workbook.xml.rels", "book9.xml.rels"): (
            content.replace("xl/workbook.xml", "xl/book9.xml")
        )
        for name, content in members.items()
    }
    assert read_file(Path("a.xlsx"), zipped(moved)).format == "xlsx"


def test_content_decides_over_the_ending(
    tmp_path: Path, make_pdf: Callable[..., bytes], place: Callable[..., list[Any]]
) -> None:
    pdf = make_pdf([place(["A line of text."])])
    assert read_file(written(tmp_path, "really-a-pdf.txt", pdf)).format == "pdf"
    assert read_file(written(tmp_path, "no-ending", pdf)).format == "pdf"
    page = b"<!DOCTYPE html><html><body><p>Hello</p></body></html>"
    assert read_file(written(tmp_path, "page", page)).format == "html"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.TXT", "text"),
        ("a.md", "markdown"),
        ("a.markdown", "markdown"),
        ("a.htm", "html"),
        ("README", "text"),
    ],
)
def test_endings_choose_among_texts(tmp_path: Path, name: str, expected: str) -> None:
    assert read_file(written(tmp_path, name, b"Just a line.")).format == expected
    assert name == "README" or Path(name).suffix.lower() in supported_endings()


def test_the_libraries_of_readers_are_loaded_only_when_needed() -> None:
    names = "pypdf docx bs4 markdown_it lxml openpyxl pptx msoffcrypto email.message"
    code = (
        "import sys, ingest.readers, ingest.pipeline\n"
        f"print([name for name in '{names}'.split() if name in sys.modules])"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=6)), min_size=1, max_size=6),
    st.sampled_from(
        ".pdf .docx .pptx .xlsx .odt .ods .odp .epub .rtf .html .md .txt .csv .jsonl .eml".split()
    ),
    st.booleans(),
)
def test_damaged_files_are_read_or_refused_but_never_break(
    whole_files: dict[str, bytes], damage: list[tuple[float, bytes]], ending: str, cut: bool
) -> None:
    data = whole_files[ending]
    if cut:
        data = data[: int(damage[0][0] * len(data))]
    for place, piece in damage:
        at = int(place * len(data))
        data = data[:at] + piece + data[at + len(piece) :]
    with contextlib.suppress(ReadError):
        assert read_file(Path("damaged" + ending), data).blocks


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(".docx .pptx .xlsx .odt .ods .odp .epub".split()),
    st.floats(0, 1),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), st.text(max_size=6)), min_size=1, max_size=4),
)
def test_sound_archives_of_damaged_parts_never_break_a_reader(
    whole_files: dict[str, bytes], ending: str, which: float, damage: list[tuple[float, int, str]]
) -> None:
    with zipfile.ZipFile(io.BytesIO(whole_files[ending])) as archive:
        members = {name: archive.read(name).decode("utf-8", "replace") for name in archive.namelist()}
    name = sorted(members)[int(which * (len(members) - 1))]
    for place, length, piece in damage:
        content = members[name]
        at = int(place * len(content))
        members[name] = content[:at] + piece + content[at + length :]
    with contextlib.suppress(ReadError):
        assert read_file(Path("damaged" + ending), zipped(members)).blocks


def test_awkward_public_files_are_refused_clearly(documents: Path) -> None:
    expected = {
        "tika__testWORD_protected_passtika.docx": Outcome.ENCRYPTED,
        "tika__testWORD_truncated.docx": Outcome.FAILED,
        "unstructured__empty.txt": Outcome.EMPTY,
    }
    assert {name: outcome(documents / name)[0] for name in expected} == expected


def test_public_files_of_the_newer_formats_are_read(documents: Path) -> None:
    expected = {
        "markitdown__test.pptx": "pptx",
        "markitdown__test_mskanji.csv": "csv",
        "tika__testRTF-ms932.rtf": "rtf",
    }
    assert {name: read_file(documents / name).format for name in expected} == expected
