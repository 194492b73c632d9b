"""The batched engine by torch: the same answers as transformers' own, whoever shares a step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from kernel.chat.generation import Sampling
from kernel.chat.language_model import LanguageModel
from kernel.chat.paged.generator import BatchedGenerator
from kernel.chat.paged.lora import Lora, read_lora
from kernel.chat.paged.step import BLOCK, Row
from kernel.chat.paged.torch_model import TorchPagedModel
from retrieval.errors import TekioError, UsageError
from tests.kernel.paged.test_generator import LONG, QUESTIONS, ask, texts

Make = Callable[..., BatchedGenerator]
IDS = list(range(40, 140))


@pytest.fixture
def model(small_base: Path) -> TorchPagedModel:
    return TorchPagedModel(small_base, precision="float32", threads=2, cache_mb=16)


@pytest.fixture
def expected(small_base: Path) -> list[str]:
    """What transformers' `generate` answers, one after the other."""
    plain = LanguageModel("small", small_base, dtype="float32", threads=2)
    return [plain.generate([{"role": "user", "content": each}], LONG).text for each in QUESTIONS]


@pytest.fixture
def engine(make: Make) -> BatchedGenerator:
    return make(engine="torch", precision="float32")


def test_together_each_is_answered_as_by_transformers_alone(
    engine: BatchedGenerator, expected: list[str]
) -> None:
    for _ in range(2):  # the second time out of the cache
        made = [future.result(60) for future in [ask(engine, question) for question in QUESTIONS]]
        assert texts(made) == expected
    state = engine.state()
    assert state.rows > 1.5 * state.steps, "they shared steps"
    assert all(each.reused_tokens >= each.prompt_tokens - 2 * BLOCK for each in made)
    assert state.accepted_tokens, "guesses were checked on the way"


def test_an_adapter_beside_the_base_answers_as_by_peft(
    engine: BatchedGenerator, small_base: Path, adapter: Path, expected: list[str]
) -> None:
    plain = LanguageModel(small_base.name, small_base, dtype="float32", threads=2)
    theirs = plain.load_adapter(adapter)
    adapted = [
        plain.generate([{"role": "user", "content": each}], LONG, adapter=theirs).text for each in QUESTIONS
    ]
    name = engine.load_adapter(adapter)
    begun = [ask(engine, question, adapter=who) for question in QUESTIONS for who in (None, name)]
    made = texts([each.result(60) for each in begun])
    assert made[::2] == expected
    assert made[1::2] == adapted
    assert made[::2] != made[1::2]


def test_the_parts_of_a_prompt_come_to_what_the_whole_does(model: TorchPagedModel) -> None:
    (whole,) = model.run([Row(IDS, 0, [3, 4, 5, 6])])
    model.run([Row(IDS[:45], 0, [7, 9, 8, 10])])
    model.run([Row(IDS[45:99], 45, [7, 9, 8, 10]), Row([5, 6, 7], 0, [11])])
    last, other = model.run(
        [Row(IDS[99:], 99, [7, 9, 8, 10], None, 1, True), Row([8, 9], 3, [11], None, 2, True)]
    )
    assert other.shape == (2, model.architecture.vocabulary)
    np.testing.assert_allclose(last, whole, atol=1e-4)


def test_an_adapter_that_does_not_fit_leaves_what_was_there(
    model: TorchPagedModel, small_base: Path, adapter: Path
) -> None:
    good = read_lora(adapter, "good")
    place = model.add(good)
    before = [model.run([Row(IDS, 0, range(4), who)])[0].copy() for who in (None, place)]
    assert not np.allclose(before[0], before[1])
    name = next(iter(good.parts))
    small = Lora("small", 1, {name: (np.ones((1, 3), np.float32), np.ones((3, 1), np.float32))})
    with pytest.raises(UsageError, match="of 3 by 3 values"):
        model.add(small)
    with pytest.raises(UsageError, match="does not have"):
        model.add(Lora("odd", 1, {"model.layers.99.mlp.up_proj": small.parts[name]}))
    after = [model.run([Row(IDS, 0, range(4), who)])[0].copy() for who in (None, place)]
    np.testing.assert_array_equal(before, after)
    model.drop_last()
    np.testing.assert_array_equal(before[0], model.run([Row(IDS, 0, range(4))])[0])


@pytest.mark.parametrize("precision", ["bfloat16", "int8", "int4-weights"])
def test_weights_in_fewer_bits_are_near_those_in_all(small_base: Path, precision: str) -> None:
    whole, few = (
        TorchPagedModel(small_base, precision=each, threads=2, cache_mb=16).run([Row(IDS, 0, range(4))])[0][0]
        for each in ("float32", precision)
    )
    assert np.corrcoef(whole, few)[0, 1] > 0.9
    assert not np.array_equal(whole, few)


def test_a_damaged_file_is_told_in_one_line(small_base: Path, tmp_path: Path) -> None:
    for path in small_base.iterdir():
        data = path.read_bytes()
        (tmp_path / path.name).write_bytes(data[:-1000] if path.suffix == ".safetensors" else data)
    with pytest.raises(TekioError, match="torch cannot load the model in") as raised:
        TorchPagedModel(tmp_path, precision="float32", cache_mb=16)
    assert "\n" not in str(raised.value)


def test_no_memory_for_the_cache_is_told(small_base: Path) -> None:
    with pytest.raises(TekioError, match="set kv_cache_mb lower"):
        TorchPagedModel(small_base, precision="float32", cache_mb=1_000_000_000)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_a_gpu_answers_with_all_the_memory_that_is_left(make: Make) -> None:
    engine = make(engine="torch", precision="auto", cache_mb=0)
    assert ask(engine, QUESTIONS[0], Sampling(max_new_tokens=8)).result(60).completion_tokens
    assert torch.cuda.memory_allocated() > 1 << 30


def test_a_smaller_model_that_guesses_changes_no_token(
    make: Make, small_base: Path, expected: list[str]
) -> None:
    engine = make(engine="torch", precision="float32", draft=small_base, from_text=False)
    assert texts([ask(engine, question).result(60) for question in QUESTIONS]) == expected
    assert engine.state().accepted_tokens > 0.8 * engine.state().drafted_tokens, (
        "it guesses what it would say"
    )
