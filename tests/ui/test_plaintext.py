"""What documents may not do to a terminal."""

from __future__ import annotations

import json

import pytest

from ui.plaintext import dump_json, one_line, plain, plain_piece


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b2Jcleared", "cleared"),
        ("over\rwritten", "over\nwritten"),
        ("a\x08b\x00\x7f", "ab"),
        ("abc\u202edef", "abcdef"),
        ("hid\U000e0041den", "hidden"),
        ("タブ\tと\n改行", "タブ\tと\n改行"),
    ],
)
def test_plain(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_a_sequence_cut_between_two_pieces_of_a_stream_is_harmless() -> None:
    assert "\x1b" not in plain_piece("a\x1b") + plain_piece("[2Jb")


def test_one_line() -> None:
    assert one_line(" a\n\n b\tc ") == "a b c"


def test_json_is_readable_lossless_and_inert() -> None:
    value = {"text": "適応\x1b[31m\x9b\u2028\udc80"}
    text = dump_json(value)
    assert "適応" in text
    assert not {"\x1b", "\x9b", "\u2028", "\udc80"} & set(text)
    assert json.loads(text) == value
