"""The engines of this machine, measured."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from evaluation.benchmarks.generation import at_least, at_most
from evaluation.engines import a_prompt, measure_engines
from evaluation.speed import BatchedSpeed, PlainSpeed, Speed, fastest
from kernel.chat.paged.serving import Serving


def test_each_engine_writes_as_many_tokens_and_the_fastest_is_first(
    small_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evaluation.engines.find_server", lambda: None)
    said: list[str] = []
    found = measure_engines(
        "small",
        small_base,
        lambda: pytest.fail("nobody asked for a GGUF"),
        prompt=80,
        written=6,
        threads=1,
        times=1,
        say=said.append,
    )
    assert {each.engine for each in found} >= {"openvino int8", "openvino float32", "transformers float32"}
    assert all((each.speed.prompt, each.speed.written) == (80, 6) for each in found)
    assert all(each.speed.first > 0 < each.speed.rest for each in found)
    seconds = [each.speed.whole for each in found]
    assert seconds == sorted(seconds)
    assert any("llama.cpp's server is not on this machine" in line for line in said)


def test_what_another_engine_has_to_compute_is_left_out(
    small_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evaluation.engines.find_server", lambda: None)
    for path in small_base.iterdir():
        content = path.read_bytes()
        if path.name == "config.json":
            content = content.replace(b'"silu"', b'"gelu"')
        (tmp_path / path.name).write_bytes(content)
    said: list[str] = []
    found = measure_engines(
        "odd", tmp_path, lambda: tmp_path, prompt=70, written=3, threads=1, times=1, say=said.append
    )
    assert {each.engine for each in found} == {"transformers float32", "transformers bfloat16"}
    assert any("hidden_act = gelu" in line for line in said)


def test_an_answer_is_written_to_its_length_whatever_it_says(small_base: Path) -> None:
    ids = a_prompt(small_base, 70)
    assert ids == a_prompt(small_base, 70)
    with closing(BatchedSpeed("small", small_base, Serving(threads=1, cache_mb=32))) as batched:
        done = batched.begin(ids, 90).result()  # in which the small model goes round in circles
        assert batched.engine.state().written_tokens == 90
        assert done.prompt_tokens == 70
        assert batched.one(ids, 4).written == 4
        assert batched.begin(ids, 2).result().reused_tokens == 64
        batched.forget()
        assert batched.begin(ids, 2).result().reused_tokens == 0
    assert PlainSpeed(small_base, dtype="float32", threads=1).one(ids, 5).written == 5


def test_of_several_times_the_best_counts_half_by_half() -> None:
    made = iter([Speed(10, 5, 2.0, 1.0), Speed(10, 5, 1.0, 3.0)])
    best = fastest(lambda: next(made), 2)
    assert (best.first, best.rest, best.whole) == (1.0, 1.0, 2.0)
    assert (best.prefill, best.decode) == (10.0, 4.0)


def test_a_figure_says_whether_it_is_what_it_should_be() -> None:
    assert at_least("a", "b", 1.3, 1.3, "").holds
    assert not at_least("a", "b", 1.29, 1.3, "").holds
    assert at_most("a", "b", 0.6, 0.6, "").holds
    assert not at_most("a", "b", 0.61, 0.6, "").holds
