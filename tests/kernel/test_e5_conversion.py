"""The converted E5 model against the figures of the engine that its package brings (see data/)."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tokenizers import Tokenizer

from kernel.model_packages.q4_container import dequantize, read_container
from kernel.model_store import ModelStore
from retrieval.errors import TekioError

REFERENCE = json.loads((Path(__file__).parent / "data" / "e5_reference.json").read_text("utf-8"))["texts"]
KINDS = ("query", "passage")


@pytest.fixture(scope="module")
def folder(model_store: ModelStore) -> Path:
    return model_store.resolve("multilingual-e5-small").folder


@pytest.fixture(scope="module")
def model(folder: Path) -> Any:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu")


def vector(entry: dict[str, Any], kind: str) -> NDArray[np.float32]:
    return np.frombuffer(base64.b64decode(entry["vector"][kind]), "<f2").astype(np.float32)


def test_token_counts_are_the_engines(folder: Path) -> None:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    for entry in REFERENCE:
        for kind in KINDS:
            assert len(tokenizer.encode(f"{kind}: {entry['text']}")) == entry["tokens"][kind], entry["text"]


@pytest.mark.parametrize("kind", KINDS)
def test_vectors_are_the_engines(model: Any, kind: str) -> None:
    vectors = model.encode([f"{kind}: {entry['text']}" for entry in REFERENCE], normalize_embeddings=True)
    expected = np.stack([vector(entry, kind) for entry in REFERENCE])
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert (vectors * expected).sum(axis=1).min() >= 0.9998
    assert np.abs(vectors @ vectors.T - expected @ expected.T).max() < 0.003


def test_reference_vectors_are_readable_as_stated() -> None:
    for entry in REFERENCE:
        assert vector(entry, "query")[:4] == pytest.approx(entry["first"]["query"], abs=1e-3)


def test_half_width_kana_with_voicing_marks_equal_full_width(folder: Path) -> None:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    assert tokenizer.encode("ﾎﾟﾝﾌﾟのﾍﾞｱﾘﾝｸﾞ").ids == tokenizer.encode("ポンプのベアリング").ids
    assert tokenizer.encode("か\u3099ぎょう").ids == tokenizer.encode("がぎょう").ids


def test_prompts_and_limit_are_stated_in_the_folder(model: Any) -> None:
    assert model.max_seq_length == 512
    assert (model.prompts["query"], model.prompts["passage"]) == ("query: ", "passage: ")
    assert model.default_prompt_name is None


def test_auto_tokenizer_agrees_and_keeps_the_normaliser(folder: Path) -> None:
    from transformers import AutoTokenizer

    plain, auto = Tokenizer.from_file(str(folder / "tokenizer.json")), AutoTokenizer.from_pretrained(folder)
    for entry in REFERENCE:
        assert auto(entry["text"])["input_ids"] == plain.encode(entry["text"]).ids
    assert auto.convert_tokens_to_ids([auto.pad_token, auto.mask_token]) == [1, 250001]


def test_weights_fill_a_bert_without_pooler_exactly(folder: Path) -> None:
    from safetensors.torch import load_file
    from transformers import BertConfig, BertModel

    bert = BertModel(BertConfig.from_pretrained(folder), add_pooling_layer=False)
    bert.load_state_dict(load_file(folder / "model.safetensors"), strict=True)


def test_q4_blocks_are_low_nibbles_then_high_ones() -> None:
    block = np.float16(0.5).tobytes() + bytes(range(0x80, 0x90))
    expected = [(i - 8) * 0.5 for i in range(16)] + [0.0] * 16
    assert dequantize(block).tolist() == expected


@pytest.mark.parametrize("content", [b"", b"E5S1", b"GGUF" + bytes(100), b"E5S1\x01\0\0\0" + bytes(36)])
def test_damaged_container_is_an_error_of_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "e5-small-q4.bin"
    path.write_bytes(content)
    with pytest.raises(TekioError, match=r"e5-small-q4\.bin is damaged"):
        read_container(path)
