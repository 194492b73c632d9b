from __future__ import annotations

import io
from email.message import EmailMessage
from typing import Any

import openpyxl
import pytest

from ingest.blocks import BlockKind, Outcome, ReadError, ReadOptions
from ingest.readers.eml import read

HEAD = "From: Sato <sato@example.jp>\r\nTo: jane@example.com\r\nSubject: Test\r\n"


def letter(subject: str = "会議の件", body: str = "本文です。\n\n次の段落です。") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "佐藤 太郎 <sato@example.jp>"
    message["To"] = "Jane Roe <jane@example.com>"
    message["Date"] = "Mon, 01 Apr 2024 09:30:00 +0900"
    message["Subject"] = subject
    message.set_content(body)
    return message


def workbook() -> bytes:
    book = openpyxl.Workbook()
    book.active.append(["項目", "値"])
    book.active.append(["x", 1])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def texts(data: bytes, depth: int = 1) -> list[str]:
    return [block.text for block in read(data, ReadOptions(attachment_depth=depth)).blocks]


def test_a_letter_is_its_subject_who_wrote_it_and_its_body() -> None:
    result = read(letter().as_bytes())
    assert [(block.kind, block.level) for block in result.blocks[:2]] == [
        (BlockKind.HEADING, 1),
        (BlockKind.PARAGRAPH, 0),
    ]
    assert [block.text for block in result.blocks] == [
        "会議の件",
        "From: 佐藤 太郎 <sato@example.jp>\nTo: Jane Roe <jane@example.com>\nDate: Mon, 01 Apr 2024 09:30:00 +0900",
        "本文です。",
        "次の段落です。",
    ]
    assert (result.title, result.authors) == ("会議の件", ("佐藤 太郎",))
    assert result.created == "2024-04-01T09:30:00+09:00"


def test_a_greeting_is_no_heading() -> None:
    assert all(
        block.kind is BlockKind.PARAGRAPH
        for block in read(letter(body="佐藤様\n\nお世話になります。").as_bytes()).blocks[1:]
    )


@pytest.mark.parametrize(
    ("charset", "encoding"),
    [
        ("iso-2022-jp", "iso2022_jp"),
        ("shift_jis", "cp932"),
        ("utf-8", "cp932"),
        ("us-ascii", "utf-8"),
        ("x-unknown", "euc_jp"),
    ],
)
def test_bodies_are_decoded_whatever_they_declare(charset: str, encoding: str) -> None:
    text = "こんにちは、これは日本語の本文です。"
    data = f"{HEAD}Content-Type: text/plain; charset={charset}\r\n\r\n".encode() + text.encode(encoding)
    assert texts(data)[-1] == text


def test_headers_are_decoded_also_when_they_are_raw_bytes() -> None:
    for subject in (
        b"=?ISO-2022-JP?B?GyRCMnE1RBsoQg==?=",
        b"=?utf-8?b?5Lya?= =?utf-8?b?6K2w?=",
        "会議".encode(),
        "会議".encode("cp932") * 8,
    ):
        data = b"From: a@b.c\r\nSubject: " + subject + b"\r\nMIME-Version: 1.0\r\n\r\ntext\r\n"
        assert (read(data).title or "").startswith("会議")


def test_plain_text_goes_before_html_unless_it_is_empty() -> None:
    message = letter(body="plain words")
    message.add_alternative("<html><body><p>html words</p></body></html>", subtype="html")
    assert texts(message.as_bytes())[2:] == ["plain words"]
    empty = letter(body=" \n")
    empty.add_alternative("<html><body><h1>題</h1><p>html words</p></body></html>", subtype="html")
    assert texts(empty.as_bytes())[2:] == ["題", "html words"]


def test_attachments_are_read_below_a_heading_with_their_name() -> None:
    message = letter(body="See the table.")
    message.add_attachment(workbook(), maintype="application", subtype="octet-stream", filename="表.xlsx")
    result = read(message.as_bytes())
    heading = result.blocks[3]
    assert (heading.text, heading.kind, heading.level) == ("Attachment: 表.xlsx", BlockKind.HEADING, 2)
    assert [block.text for block in result.blocks[4:]] == ["Sheet", "| 項目 | 値 |\n| --- | --- |\n| x | 1 |"]
    assert result.blocks[4].level == 4
    assert not result.warnings


def test_what_is_not_read_of_the_attachments_is_named() -> None:
    message = letter(body="text")
    message.add_attachment(
        b"\x7fELF" + bytes(60), maintype="application", subtype="octet-stream", filename="a.bin"
    )
    result = read(message.as_bytes())
    assert len(result.warnings) == 1
    assert result.warnings[0].startswith("attachment a.bin was not read: no reader for .bin files")
    flat = read(message.as_bytes(), ReadOptions(attachment_depth=0))
    assert flat.warnings == ["attachment a.bin was not read: it lies too deep"]


def test_letters_within_letters_are_read_as_deep_as_it_is_allowed() -> None:
    inner = letter("内側", "inner words")
    inner.add_attachment("最も内側".encode(), maintype="text", subtype="plain", filename="deep.txt")
    outer = letter("外側", "outer words")
    outer.add_attachment(inner)
    assert "最も内側" not in texts(outer.as_bytes())
    assert "inner words" in texts(outer.as_bytes())
    assert "最も内側" in texts(outer.as_bytes(), depth=2)


def test_pictures_that_the_text_shows_are_no_attachments() -> None:
    message = letter(body=" ")
    message.add_alternative('<html><body><p>words<img src="cid:logo"></p></body></html>', subtype="html")
    payload: Any = message.get_payload()
    payload[1].add_related(b"\x89PNG\r\n", maintype="image", subtype="png", cid="<logo>")
    result = read(message.as_bytes())
    assert result.blocks[-1].text == "words"
    assert not result.warnings


def test_an_encrypted_letter_is_named() -> None:
    data = (HEAD + "Content-Type: application/pkcs7-mime; name=smime.p7m\r\n\r\nAAAA").encode()
    with pytest.raises(ReadError) as error:
        read(data)
    assert error.value.outcome is Outcome.ENCRYPTED


def test_a_letter_without_words_is_named_empty() -> None:
    with pytest.raises(ReadError) as error:
        read(b"From: a@b.c\r\nMIME-Version: 1.0\r\n\r\n \r\n")
    assert error.value.outcome is Outcome.EMPTY


def test_a_wrong_date_is_none() -> None:
    assert read(b"From: a@b.c\r\nSubject: x\r\nDate: yesterday\r\n\r\ntext\r\n").created is None
