from __future__ import annotations

import contextlib
import io
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.blocks import Outcome, ReadError
from ingest.readers import read_file, supported_endings


@pytest.fixture
def whole_files(make_pdf: Callable[..., bytes], place: Callable[..., list[Any]]) -> dict[str, bytes]:
    document = docx.Document()
    document.add_heading("Heading")
    document.add_table(rows=2, cols=2)
    out = io.BytesIO()
    document.save(out)
    return {
        ".pdf": make_pdf(
            [place(["A line of text.", "Another line of text."]), [(72, 700, 11, "日本語の行")]]
        ),
        ".docx": out.getvalue(),
        ".html": b"<html><body><h1>Title</h1><table><tr><td>a</td><td>b</td></tr></table></body></html>",
        ".md": "# 見出し\n\n- a\n\n| a | b |\n|---|---|\n| 1 | 2 |\n".encode(),
        ".txt": "段落です。\n\n次の段落です。\n".encode("cp932"),
    }


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


def zipped(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("empty.txt", b"", Outcome.EMPTY),
        ("text.pdf", b"no pdf at all", Outcome.FAILED),
        ("locked.docx", OLE + "EncryptedPackage".encode("utf-16-le"), Outcome.ENCRYPTED),
        ("old.docx", OLE, Outcome.UNSUPPORTED),
        ("cut.docx", b"PK\x03\x04 and then nothing", Outcome.FAILED),
        ("slides.pptx", zipped("ppt/presentation.xml"), Outcome.UNSUPPORTED),
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
    assert ".docx" in outcome(written(tmp_path, "a.csv", b"a,b"))[1]
    assert outcome(tmp_path / "missing.txt") == (
        Outcome.FAILED,
        "cannot be opened: No such file or directory",
    )


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
    code = (
        "import sys, ingest.readers, ingest.pipeline\n"
        "print([name for name in ('pypdf', 'docx', 'bs4', 'markdown_it', 'lxml') if name in sys.modules])"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=6)), min_size=1, max_size=6),
    st.sampled_from([".pdf", ".docx", ".html", ".md", ".txt"]),
)
def test_damaged_files_are_read_or_refused_but_never_break(
    whole_files: dict[str, bytes], damage: list[tuple[float, bytes]], ending: str
) -> None:
    data = whole_files[ending]
    for place, piece in damage:
        at = int(place * len(data))
        data = data[:at] + piece + data[at + len(piece) :]
    with contextlib.suppress(ReadError):
        assert read_file(Path("damaged" + ending), data).blocks


def test_awkward_public_files_are_refused_clearly(documents: Path) -> None:
    expected = {
        "tika__testWORD_protected_passtika.docx": Outcome.ENCRYPTED,
        "tika__testWORD_truncated.docx": Outcome.FAILED,
        "unstructured__empty.txt": Outcome.EMPTY,
        "markitdown__test.pptx": Outcome.UNSUPPORTED,
        "tika__testRTF-ms932.rtf": Outcome.UNSUPPORTED,
    }
    assert {name: outcome(documents / name)[0] for name in expected} == expected
