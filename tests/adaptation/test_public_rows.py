"""Public forms of training rows are read into one, and a row that is broken is named by its line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptation.training_sets.public import read_public
from adaptation.training_sets.rows import ChatRow, Message, PairRow, TextRow, read_rows, write_rows
from retrieval.errors import UsageError

CHAT = {"messages": [{"role": "user", "content": "How hot?"}, {"role": "assistant", "content": "90 °C."}]}
ALPACA = {"instruction": "Name the valve.", "input": "Line 3", "output": "V-12"}
SHAREGPT = {
    "conversations": [
        {"from": "system", "value": "Be short."},
        {"from": "human", "value": "Which valve?"},
        {"from": "gpt", "value": "V-12"},
        {"from": "human", "value": "Thanks"},
    ]
}
DPO = {"prompt": "Which valve?", "chosen": "V-12 [1].", "rejected": "No idea."}
DPO_CHAT = {
    "chosen": [{"role": "user", "content": "Which?"}, {"role": "assistant", "content": "V-12"}],
    "rejected": [{"role": "user", "content": "Which?"}, {"role": "assistant", "content": "V-13"}],
}


def written(folder: Path, *rows: Any, name: str = "rows.jsonl") -> Path:
    path = folder / name
    path.write_text(
        "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8"
    )
    return path


def said(row: ChatRow | PairRow) -> list[tuple[str, str]]:
    messages = row.messages if isinstance(row, ChatRow) else (*row.prompt, *row.chosen)
    return [(message.role, message.content) for message in messages]


@pytest.mark.parametrize(
    ("row", "form", "messages"),
    [
        (CHAT, "chat", [("user", "How hot?"), ("assistant", "90 °C.")]),
        (ALPACA, "alpaca", [("user", "Name the valve.\n\nLine 3"), ("assistant", "V-12")]),
        (SHAREGPT, "sharegpt", [("system", "Be short."), ("user", "Which valve?"), ("assistant", "V-12")]),
        (DPO, "dpo", [("user", "Which valve?"), ("assistant", "V-12 [1].")]),
        (DPO_CHAT, "dpo", [("user", "Which?"), ("assistant", "V-12")]),
    ],
)
def test_each_form_is_told_by_its_fields(
    tmp_path: Path, row: dict[str, Any], form: str, messages: list[tuple[str, str]]
) -> None:
    found = read_public(written(tmp_path, row))
    assert found.form == form
    assert [said(each) for each in found.rows] == [messages]


def test_a_json_list_is_read_as_lines_are(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([ALPACA, ALPACA]), encoding="utf-8")
    assert len(read_public(path).rows) == 2


def test_a_file_with_a_byte_order_mark_and_japanese_is_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    row = {"instruction": "弁の番号は。", "input": "", "output": "V-12です。"}
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(row, ensure_ascii=False).encode())
    (found,) = read_public(path).rows
    assert (found.language, said(found)[1]) == ("ja", ("assistant", "V-12です。"))


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ({"instruction": "x", "output": 3}, "no text 'output'"),
        ({"instruction": "x"}, "no text 'output'"),
        ([], "no JSON object"),
        ({"instruction": "x", "output": "  "}, "no text 'output'"),
    ],
)
def test_a_broken_row_is_named_by_its_line(tmp_path: Path, broken: Any, why: str) -> None:
    path = written(tmp_path, ALPACA, "", broken, ALPACA)
    with pytest.raises(UsageError, match=f"line 3: .*{why}"):
        read_public(path)
    found = read_public(path, strict=False)
    assert (len(found.rows), len(found.broken)) == (2, 1)
    assert "line 3" in found.broken[0]


@pytest.mark.parametrize(
    ("rows", "form", "message"),
    [
        (["{"], None, "line 1: no JSON"),
        ([{"a": 1}], None, r"no known form .* fields are a"),
        ([ALPACA], "alpacca", "there is no form 'alpacca'"),
        ([""], None, "holds no training rows"),
        ([CHAT | {"messages": [{"role": "user", "content": "x"}]}], None, "line 1: messages"),
        ([{"messages": [{"role": "tool", "content": "x"}]}], None, "no known 'role'"),
        ([DPO | {"rejected": DPO["chosen"]}], None, "are the same"),
    ],
)
def test_what_is_no_training_file_gets_one_clear_line(
    tmp_path: Path, rows: list[Any], form: str | None, message: str
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        read_public(written(tmp_path, *rows), form=form)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_or_no_text_gets_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_public(tmp_path / "none.jsonl")
    (tmp_path / "binary.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="cannot be read"):
        read_public(tmp_path / "binary.jsonl")


texts = st.text(min_size=1, max_size=40).filter(str.strip)


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=6))
def test_rows_come_back_from_their_file_as_they_went_in(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]]
) -> None:
    path = tmp_path_factory.mktemp("rows") / "chat.jsonl"
    rows = [
        ChatRow(
            id=str(number),
            kind="chat",
            messages=(Message(role="user", content=asked), Message(role="assistant", content=answer)),
        )
        for number, (asked, answer) in enumerate(pairs)
    ]
    write_rows(path, rows)
    assert read_rows(path, ChatRow) == rows


def test_a_row_of_a_set_that_was_changed_by_hand_is_named(tmp_path: Path) -> None:
    path = tmp_path / "text.jsonl"
    write_rows(path, [TextRow(id="a", text="The valve."), TextRow(id="b", text="The pump.")])
    path.write_text(path.read_text("utf-8") + '{"id": "c", "kind": "text", "text": ""}\n', encoding="utf-8")
    with pytest.raises(UsageError, match="line 3: text"):
        read_rows(path, TextRow)
