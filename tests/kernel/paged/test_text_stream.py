"""The text of tokens as they come."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.chat.chat_tokens import ChatTokenizer
from kernel.chat.paged.text_stream import TextStream
from kernel.model_store import ModelStore


@pytest.fixture(scope="session")
def tokenizer(model_store: ModelStore) -> ChatTokenizer:
    return ChatTokenizer(model_store.resolve("SmolLM2-135M-Instruct").folder)


def streamed(tokenizer: ChatTokenizer, ids: list[int]) -> list[str]:
    pieces: list[str] = []
    stream = TextStream(tokenizer.decode, pieces.append)
    for token in ids:
        stream.put([token])
    stream.end()
    return pieces


@settings(max_examples=200, deadline=None)
@given(text=st.text(st.characters(codec="utf-8", exclude_categories=["Cn", "Cs"]), max_size=60))
def test_the_pieces_together_are_the_text(tokenizer: ChatTokenizer, text: str) -> None:
    ids = tokenizer.encode_text(text)
    assert "".join(streamed(tokenizer, ids)) == tokenizer.decode(ids)


@settings(max_examples=200, deadline=None)
@given(ids=st.lists(st.integers(3, 49_000), max_size=30))
def test_the_pieces_of_any_tokens_together_are_their_text(tokenizer: ChatTokenizer, ids: list[int]) -> None:
    assert "".join(streamed(tokenizer, ids)) == tokenizer.decode(ids)


def test_words_are_handed_on_whole_and_one_by_one(tokenizer: ChatTokenizer) -> None:
    pieces = streamed(
        tokenizer, tokenizer.encode_text("The infusion pump is inspected twice.\nThen it rests.")
    )
    assert len(pieces) > 5
    assert all(piece.endswith((" ", "\n")) for piece in pieces[:-1])


def test_japanese_is_handed_on_without_waiting_for_a_space(tokenizer: ChatTokenizer) -> None:
    text = "輸液ポンプは毎週点検します。"
    pieces = streamed(tokenizer, tokenizer.encode_text(text))
    assert "".join(pieces) == text
    assert len(pieces) > 3
    assert not any("\ufffd" in piece for piece in pieces)
