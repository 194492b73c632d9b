from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest

from ingest.blocks import BlockKind, Outcome, ReadError, ReadResult
from ingest.readers.epub import read

CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
)
METADATA = (
    "<dc:title>銀河鉄道の夜</dc:title><dc:language>ja</dc:language><dc:creator>宮沢賢治</dc:creator>"
    '<dc:date>1934-01-01</dc:date><dc:subject>童話</dc:subject><meta property="dcterms:modified">'
    "2020-02-03T04:05:06Z</meta>"
)
NAV = (
    '<html xmlns:epub="http://www.idpf.org/2007/ops"><body><nav epub:type="toc"><ol>'
    '<li><a href="two%20b.xhtml#x">第二章</a></li></ol></nav></body></html>'
)


def page(body: str) -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml" '
        f'xmlns:epub="http://www.idpf.org/2007/ops"><head><title>t</title></head><body>{body}</body></html>'
    )


def book(extra: dict[str, str | bytes] | None = None, *, leave_out: str = "") -> bytes:
    """Three chapters whose order in the spine is not that of the files."""
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<metadata>{METADATA}</metadata><manifest>"
        '<item id="b" href="two%20b.xhtml" media-type="application/xhtml+xml"/>'
        '<item id="a" href="one.xhtml" media-type="application/xhtml+xml"/>'
        '<item id="n" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>'
        '<item id="p" href="cover.png" media-type="image/png"/></manifest>'
        '<spine><itemref idref="n"/><itemref idref="p"/><itemref idref="a"/><itemref idref="b"/></spine></package>'
    )
    members: dict[str, Any] = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": CONTAINER,
        "OEBPS/book.opf": package,
        "OEBPS/nav.xhtml": NAV,
        "OEBPS/cover.png": b"\x89PNG",
        "OEBPS/two b.xhtml": page("<p>二つ目の段落です。</p>"),
        "OEBPS/one.xhtml": page(
            "<section><h1>第一章</h1><p>ではみなさんは、<ruby>北<rt>きた</rt></ruby>へ。</p></section>"
        ),
    } | (extra or {})
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            if name != leave_out:
                archive.writestr(name, content)
    return out.getvalue()


def texts(result: ReadResult) -> list[str]:
    return [block.text for block in result.blocks]


def outcome(data: bytes) -> Outcome:
    with pytest.raises(ReadError) as error:
        read(data)
    return error.value.outcome


def test_chapters_come_in_the_order_of_the_spine_without_the_table_of_contents() -> None:
    result = read(book())
    assert texts(result) == ["第一章", "ではみなさんは、北へ。", "第二章", "二つ目の段落です。"]
    assert result.blocks[0].kind is BlockKind.HEADING


def test_a_chapter_without_a_heading_takes_its_name_from_the_table_of_contents() -> None:
    block = read(book()).blocks[2]
    assert (block.kind, block.level, block.text) == (BlockKind.HEADING, 1, "第二章")


def test_what_the_book_says_of_itself() -> None:
    result = read(book())
    assert (result.title, result.language, result.authors) == ("銀河鉄道の夜", "ja", ("宮沢賢治",))
    assert (result.created, result.tags) == ("1934-01-01", {"subject": ("童話",)})
    assert (result.modified or "").startswith("2020-02-03T04:05:06")


def test_a_missing_chapter_is_named_and_costs_no_other() -> None:
    result = read(book(leave_out="OEBPS/one.xhtml"))
    assert result.warnings == ["a chapter is missing in the file: one.xhtml"]
    assert "二つ目の段落です。" in texts(result)


def encryption(algorithm: str, path: str) -> dict[str, str | bytes]:
    return {
        "META-INF/encryption.xml": '<encryption xmlns:enc="http://www.w3.org/2001/04/xmlenc#"><enc:EncryptedData>'
        f'<enc:EncryptionMethod Algorithm="{algorithm}"/><enc:CipherData><enc:CipherReference URI="{path}"/>'
        "</enc:CipherData></enc:EncryptedData></encryption>"
    }


def test_copy_protection_is_named_but_disguised_fonts_are_none() -> None:
    assert outcome(book(encryption("http://www.w3.org/2001/04/xmlenc#aes128-cbc", "OEBPS/one.xhtml"))) is (
        Outcome.ENCRYPTED
    )
    assert read(book(encryption("http://www.idpf.org/2008/embedding", "OEBPS/one.xhtml"))).blocks


def test_chapters_in_other_encodings_are_read() -> None:
    chapter = page("<h1>章</h1><p>日本語の本文です。</p>").replace("utf-8", "Shift_JIS").encode("cp932")
    assert "日本語の本文です。" in texts(read(book({"OEBPS/one.xhtml": chapter})))


def test_entities_are_never_expanded() -> None:
    bomb = '<!DOCTYPE html [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;">]>'
    chapter = page("<p>kept &b; all</p>").replace("<html", bomb + "<html", 1)
    result = read(book({"OEBPS/one.xhtml": chapter}))
    assert "aaaa" not in "".join(texts(result))


def test_what_is_no_book_is_named() -> None:
    empty = {"OEBPS/one.xhtml": page(""), "OEBPS/two b.xhtml": page("")}
    assert outcome(book(dict(empty))) is Outcome.EMPTY
    assert outcome(book(leave_out="OEBPS/book.opf")) is Outcome.FAILED
    assert outcome(book({"OEBPS/book.opf": "<package"})) is Outcome.FAILED
