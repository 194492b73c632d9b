from __future__ import annotations

import json
from typing import Any

import pytest

from ingest.blocks import BlockKind, Outcome, ReadError
from ingest.readers.jsonl import read


def lines(*records: Any) -> bytes:
    return "\n".join(json.dumps(record, ensure_ascii=False) for record in records).encode()


def texts(data: bytes) -> list[str]:
    return [block.text for block in read(data).blocks]


def test_a_record_is_a_heading_and_its_paragraphs() -> None:
    result = read(lines({"title": "点検", "text": "一つ目。\n\n二つ目。"}, {"text": "No title here."}))
    assert [(block.kind, block.level, block.text) for block in result.blocks] == [
        (BlockKind.HEADING, 2, "点検"),
        (BlockKind.PARAGRAPH, 0, "一つ目。"),
        (BlockKind.PARAGRAPH, 0, "二つ目。"),
        (BlockKind.PARAGRAPH, 0, "No title here."),
    ]
    assert result.title is None


def test_keys_that_all_records_share_are_tags_and_others_stand_with_their_record() -> None:
    result = read(
        lines(
            {"text": "a", "source": "manual", "id": 1, "ok": True, "list": [1]},
            {"text": "b", "source": "manual", "id": 2, "ok": True, "none": None},
        )
    )
    assert result.tags == {"source": ("manual",), "ok": ("true",)}
    assert [block.text for block in result.blocks] == ["id: 1", "a", "id: 2", "b"]


def test_a_single_record_titles_the_document() -> None:
    result = read(lines({"title": "題", "text": "本文", "lang": "ja"}))
    assert (result.title, result.language) == ("題", "ja")


def test_a_broken_line_is_named_and_costs_no_other() -> None:
    result = read(b'{"text": "a"}\n{"text": \n\n[1]\n{"title": "t"}\n{"text": 5}\n"text"\n{"text": "b"}\n')
    assert [block.text for block in result.blocks] == ["a", "b"]
    assert [warning.split(":")[0] for warning in result.warnings] == [f"line {n}" for n in (2, 4, 5, 6, 7)]


def test_no_record_at_all_is_a_failure_that_says_why() -> None:
    with pytest.raises(ReadError, match=r'line 1: no "text" in it') as error:
        read(b'{"body": "x"}\n')
    assert error.value.outcome is Outcome.FAILED
    with pytest.raises(ReadError, match="no JSON"):
        read(b"just words\n")


@pytest.mark.parametrize("data", [b"[]", b'{\n  "name": "settings",\n  "version": 1\n}\n', b"[1, 2]"])
def test_json_of_other_programs_is_not_called_damaged(data: bytes) -> None:
    with pytest.raises(ReadError, match="no record with a text") as error:
        read(data)
    assert error.value.outcome is Outcome.UNSUPPORTED


def test_an_empty_file_is_named_empty() -> None:
    with pytest.raises(ReadError) as error:
        read(b"\n \n")
    assert error.value.outcome is Outcome.EMPTY


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932", "utf-16"])
def test_encodings_are_found(encoding: str) -> None:
    data = '{"text": "日本語の記録です。"}\n'.encode(encoding)
    assert texts(data) == ["日本語の記録です。"]


@pytest.mark.parametrize("indent", [None, 2])
def test_a_json_list_or_object_of_records_is_read_as_well(indent: int | None) -> None:
    records = [{"text": "a"}, {"text": "b"}]
    assert texts(json.dumps(records, indent=indent).encode()) == ["a", "b"]
    assert texts(json.dumps(records[0], indent=indent).encode()) == ["a"]


def test_deeply_nested_json_breaks_nothing() -> None:
    data = b'{"text": "a"}\n' + b"[" * 200_000 + b"\n"
    assert texts(data) == ["a"]
