"""The tokenizer of an embedder: loaded once for all who have the same."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kernel.model_store import ModelStore
from retrieval.errors import TekioError
from retrieval.token_counter import load_tokenizer


def test_the_same_tokenizer_in_two_folders_is_loaded_once(model_store: ModelStore, tmp_path: Path) -> None:
    file = model_store.resolve("all-MiniLM-L6-v2").folder / "tokenizer.json"
    copied = tmp_path / "tokenizer.json"
    shutil.copyfile(file, copied)
    with ThreadPoolExecutor(4) as pool:
        one, *others = pool.map(load_tokenizer, [file, copied, file, copied])
    assert all(other is one for other in others)
    assert (one.truncation, one.padding) == (None, None)


@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff\xfe"])
def test_what_is_no_tokenizer_is_named(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "tokenizer.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(TekioError, match=r"tokenizer\.json cannot be read"):
        load_tokenizer(file)
