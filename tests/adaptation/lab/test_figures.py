"""The figures of a model are those of the engine that answers by it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional
from transformers import AutoModelForCausalLM

from adaptation.lab.figures import Answering, ModelFigures, measure_model, quality_of, table_of
from kernel.chat.chat_tokens import ChatTokenizer
from retrieval.errors import UsageError

TEXTS = [
    "The pump stands in the boiler room and is inspected every three weeks.",
    "Nobody moves the ladder before the lamp has been switched off.",
]


def by_transformers(folder: Path) -> float:
    """Return the perplexity of the texts, of their tokens behind the first two."""
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()  # type: ignore[no-untyped-call]
    told, count = 0.0, 0
    for text in TEXTS:
        ids = torch.tensor([ChatTokenizer(folder).encode_text(text)])
        with torch.inference_mode():
            logits = model(input_ids=ids).logits[0, 1:-1]
        told += float(functional.cross_entropy(logits, ids[0, 2:], reduction="sum"))
        count += ids.shape[1] - 2
    return math.exp(told / count)


def test_perplexity_is_that_of_the_model_and_memory_that_of_a_process_of_its_own(small_base: Path) -> None:
    found = measure_model(small_base, TEXTS, new_tokens=8)
    assert found.precision == "float32"
    assert found.perplexity == pytest.approx(by_transformers(small_base), rel=0.01)
    assert found.bytes_on_disk == (small_base / "model.safetensors").stat().st_size
    assert found.peak_memory_mib is not None
    assert 4 * 42e6 / (1 << 20) < found.peak_memory_mib < 4000, "its weights alone take 160 MiB in float32"
    assert found.prefill_tokens_per_second > 0
    assert found.answer_seconds > 0


def test_fewer_bits_change_perplexity_a_little_and_a_judge_tells_of_answers(small_base: Path) -> None:
    asked: list[str] = []

    def judge(answering: Answering) -> Mapping[str, Sequence[float]]:
        asked.extend(answering([{"role": "user", "content": text}]) for text in TEXTS)
        return {"f1": [0.0, 1.0], "none": []}

    whole = measure_model(small_base, TEXTS, apart=False, new_tokens=4, threads=1)
    found = measure_model(
        small_base, TEXTS, judge=judge, precision="int8", apart=False, new_tokens=4, threads=1
    )
    assert whole.perplexity is not None
    assert found.perplexity is not None
    assert found.perplexity != whole.perplexity
    assert math.log(found.perplexity) == pytest.approx(math.log(whole.perplexity), abs=0.15)
    assert len(asked) == 2
    assert list(found.quality) == ["f1"]
    assert (found.quality["f1"].value, found.quality["f1"].rows) == (0.5, 2)
    assert found.peak_memory_mib is None


def test_a_folder_without_a_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no model in"):
        measure_model(tmp_path, TEXTS)


def test_the_table_shows_what_both_have() -> None:
    before = ModelFigures(
        perplexity=20.0,
        bytes_on_disk=4_000_000,
        peak_memory_mib=100.0,
        prefill_tokens_per_second=50.0,
        decode_tokens_per_second=0.0,
        precision="float32",
        quality={"f1": quality_of([1.0, 1.0]), "format": quality_of([1.0])},
    )
    after = before.model_copy(
        update={"perplexity": 21.0, "bytes_on_disk": 1_000_000, "quality": {"f1": quality_of([0.5, 1.0])}}
    )
    lines = table_of(before, after).splitlines()
    assert lines[0].split() == ["before", "after", "change"]
    told = {line[:24].strip(): line for line in lines[1:]}
    assert told["perplexity"].split()[-4:] == ["20.00", "21.00", "1.05", "times"]
    assert "0.25 times" in told["MB on disk"]
    f1 = next(line for line in lines if line.startswith("f1"))
    assert f1.endswith("-0.250")
    assert "0.750 [" in f1
    assert not any(line.startswith("format") for line in lines)
