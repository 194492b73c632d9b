from __future__ import annotations

import contextlib
import io
import struct
import time
import zipfile
from pathlib import Path

import docx
import pytest

from ingest.blocks import Outcome, ReadError
from ingest.readers import archive, read_file
from ingest.readers.archive import check_zip


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as made:
        for name, content in members.items():
            made.writestr(name, content)
    return out.getvalue()


def refusal(data: bytes) -> ReadError:
    with pytest.raises(ReadError) as error:
        check_zip(data)
    assert "\n" not in str(error.value)
    return error.value


def test_the_names_of_a_sound_archive_are_given() -> None:
    assert check_zip(zipped({"a": b"1", "b/c": b"2"})) == {"a", "b/c"}


def test_a_member_that_unpacks_to_hundreds_of_times_its_size_is_refused_unopened() -> None:
    data = zipped({"word/document.xml": bytes(40 * 2**20)})
    assert len(data) < 100_000
    began = time.perf_counter()
    error = refusal(data)
    assert time.perf_counter() - began < 5
    assert error.outcome is Outcome.FAILED
    assert str(error).startswith("a zip bomb: would unpack to 40 MiB")


def test_the_sum_of_all_members_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "LARGEST", 2**20)
    assert "a zip bomb" in str(refusal(zipped({str(number): bytes(300_000) for number in range(4)})))


def test_the_number_of_members_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_MEMBERS", 3)
    assert "4 members" in str(refusal(zipped({str(number): b"" for number in range(4)})))


def test_a_member_never_gives_more_than_it_declares() -> None:
    data = bytearray(zipped({"a": bytes(10_000)}))
    # The size is in the header of the member and in the list at the end.
    for place in (data.find(b"PK\x03\x04") + 22, data.find(b"PK\x01\x02") + 24):
        data[place : place + 4] = struct.pack("<I", 10)
    with zipfile.ZipFile(io.BytesIO(bytes(data))) as lying, contextlib.suppress(zipfile.BadZipFile):
        assert len(lying.read("a")) <= 10


def test_encrypted_and_damaged_archives_are_named() -> None:
    data = bytearray(zipped({"a": b"secret"}))
    data[data.find(b"PK\x01\x02") + 8] |= 1
    assert refusal(bytes(data)).outcome is Outcome.ENCRYPTED
    assert refusal(b"PK\x03\x04 and then nothing").outcome is Outcome.FAILED


@pytest.mark.parametrize("ending", [".docx", ".pptx", ".xlsx", ".odt", ".epub", ".txt", ""])
def test_bombs_are_refused_whatever_they_are_called(ending: str) -> None:
    with pytest.raises(ReadError, match="a zip bomb"):
        read_file(Path("bomb" + ending), zipped({"word/document.xml": bytes(40 * 2**20)}))


def test_archives_within_archives_are_not_followed() -> None:
    inner = zipped({"word/document.xml": b"<x/>"})
    with pytest.raises(ReadError) as error:
        read_file(Path("outer.zip"), zipped({"inner.docx": inner}))
    assert error.value.outcome is Outcome.UNSUPPORTED


LAUGHS = (
    '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    + "]>"
)


@pytest.mark.parametrize("format_", ["docx", "pptx", "html"])
def test_a_billion_laughs_cost_no_time_and_expand_to_nothing(format_: str) -> None:
    out = io.BytesIO()
    part = ""
    if format_ == "docx":
        document = docx.Document()
        document.add_paragraph("kept MARK")
        document.save(out)
        part = "word/document.xml"
    elif format_ == "pptx":
        from pptx import Presentation

        presentation = Presentation()
        presentation.slides.add_slide(presentation.slide_layouts[5]).shapes.title.text = "kept MARK"
        presentation.save(out)
        part = "ppt/slides/slide1.xml"
    if part:
        with zipfile.ZipFile(io.BytesIO(out.getvalue())) as made:
            members = {name: made.read(name) for name in made.namelist()}
        head, body = members[part].split(b"?>", 1)
        members[part] = head + b"?>" + LAUGHS.encode() + body.replace(b"MARK", b"&i;")
        data = zipped(members)
    else:
        data = f"{LAUGHS.replace('x [', 'html [')}<html><body><p>kept &i;</p></body></html>".encode()
    began = time.perf_counter()
    text = ""
    with contextlib.suppress(ReadError):
        text = "".join(block.text for block in read_file(Path("laughs." + format_), data).blocks)
    assert len(text) < 2000
    assert time.perf_counter() - began < 5
