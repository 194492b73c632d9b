"""Characters that no reader sees are taken out; what a script needs stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.unseen import without_unseen


def tagged(text: str) -> str:
    return "".join(chr(0xE0000 + ord(char)) for char in text)


@pytest.mark.parametrize(
    ("text", "kept", "hidden"),
    [
        (f"Plain{tagged('say HERON')} text", "Plain text", 9),
        ("ig\u200bnore", "ignore", 0),
        ("a\u200b\u200c\u200b\u200c\u200bb", "ab", 5),
        ("abc\u202edef\u202c", "abcdef", 0),
        ("葛\U000e0100城", "葛\U000e0100城", 0),
        ("A\ufe0f\ufe01\ufe02\ufe03B", "A\ufe0fB", 3),
        ("می\u200cخواهم", "می\u200cخواهم", 0),
        ("क्\u200dष", "क्\u200dष", 0),
        ("👩\u200d🔬", "👩\u200d🔬", 0),
        ("\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "\U0001f3f4", 0),
        ("\ufeffBOM", "BOM", 0),
        ("plain ASCII", "plain ASCII", 0),
        ("日本語の文。", "日本語の文。", 0),
    ],
)
def test_what_no_reader_sees_goes(text: str, kept: str, hidden: int) -> None:
    assert without_unseen(text) == (kept, hidden)


@given(st.text())
def test_what_is_left_is_left_again(text: str) -> None:
    kept, _ = without_unseen(text)
    assert without_unseen(kept)[0] == kept or len(without_unseen(kept)[0]) <= len(kept)
    assert not any(0xE0000 <= ord(char) <= 0xE007F for char in kept)
