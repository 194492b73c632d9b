from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from pptx import Presentation

from ingest.blocks import BlockKind, ReadOptions
from ingest.readers.attachments import attachment_blocks, attachment_name

OPTIONS = ReadOptions(attachment_depth=1)


def test_an_attachment_is_a_heading_and_the_blocks_of_the_file() -> None:
    blocks, warnings = attachment_blocks("notes.md", "# 題\n\n本文\n".encode(), OPTIONS)
    assert [(block.kind, block.level, block.text) for block in blocks] == [
        (BlockKind.HEADING, 2, "Attachment: notes.md"),
        (BlockKind.HEADING, 3, "題"),
        (BlockKind.PARAGRAPH, 0, "本文"),
    ]
    assert warnings == []


def test_pages_of_an_attachment_are_not_those_of_the_outer_file(
    make_pdf: Callable[..., bytes], place: Callable[..., list[Any]]
) -> None:
    blocks, _ = attachment_blocks("a.pdf", make_pdf([place(["A line of text."])]), OPTIONS)
    assert len(blocks) > 1
    assert all(block.page is None for block in blocks)


def test_pages_without_text_are_named() -> None:
    presentation = Presentation()
    presentation.slides.add_slide(presentation.slide_layouts[6])
    presentation.slides.add_slide(presentation.slide_layouts[5]).shapes.title.text = "two"
    out = io.BytesIO()
    presentation.save(out)
    assert attachment_blocks("a.pptx", out.getvalue(), OPTIONS)[1] == ["attachment a.pptx: no text on page 1"]


@pytest.mark.parametrize(
    ("name", "data", "depth", "said"),
    [
        ("a.txt", b"text", 0, "it lies too deep"),
        ("a.exe", b"MZ" + bytes(50), 1, "no reader for .exe files"),
        ("a.pdf", b"no pdf", 1, "not a PDF file"),
        ("a.txt", b"", 1, "the file is empty"),
    ],
)
def test_what_is_not_read_is_named(name: str, data: bytes, depth: int, said: str) -> None:
    blocks, warnings = attachment_blocks(name, data, ReadOptions(attachment_depth=depth))
    assert blocks == []
    assert len(warnings) == 1
    assert warnings[0].startswith(f"attachment {name} was not read: {said}")


def test_a_fault_of_a_reader_costs_only_the_attachment(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object) -> None:
        raise KeyError("internal")

    monkeypatch.setattr("ingest.readers.text.read", broken)
    assert attachment_blocks("a.txt", b"text", OPTIONS) == ([], ["attachment a.txt was not read: KeyError"])


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\佐藤\\表.xlsx", "表.xlsx"),
        ("two\nlines\x07.txt", "two lines .txt"),
        ("", "without a name"),
        ("長" * 300 + ".pdf", "長" * 116 + ".pdf"),
    ],
)
def test_names_are_one_safe_line(name: str, shown: str) -> None:
    assert attachment_name(name) == shown
