"""Requests served in batches: an answer is the same whatever shares its step, is kept, or is guessed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llguidance import LLMatcher

from kernel.answer import FinishReason
from kernel.chat.generation import Generation, Sampling
from kernel.chat.language_model import LanguageModel
from kernel.chat.paged.generator import BatchedGenerator
from kernel.chat.paged.model import PagedModel
from kernel.chat.paged.step import BLOCK, Row
from retrieval.errors import BusyError, TekioError, UsageError
from tests.kernel.paged.random_adapter import make_adapter

Make = Callable[..., BatchedGenerator]

TEXT = (
    "The kiln K2 is fired at 1,240 degrees for nine hours, and the kiln K3 at 1,180 degrees for seven. "
    "The glaze is mixed on Mondays. The door stays shut until the kiln is below 90 degrees. "
)
QUESTIONS = [
    TEXT * times + question
    for times, question in (
        (1, "Repeat the text."),
        (4, "How hot is K2?"),
        (2, "Repeat the text."),
        (7, "When is the glaze mixed?"),
        (3, "How hot is K3?"),
    )
]
LONG = Sampling(max_new_tokens=24)
ENDLESS = Sampling(max_new_tokens=4000, temperature=1.5, seed=1)  # greedily it would go round in circles


def ask(
    engine: BatchedGenerator, question: str, sampling: Sampling = LONG, **more: Any
) -> Future[Generation]:
    return engine.start([{"role": "user", "content": question}], sampling, **more)


def texts(made: list[Generation]) -> list[str]:
    return [each.text for each in made]


@pytest.fixture
def alone(make: Make) -> list[str]:
    """What is answered one by one, nothing kept and nothing guessed."""
    engine = make(guessed=0)
    answers = []
    for question in QUESTIONS:
        answers.append(ask(engine, question).result(60).text)
        engine.load()._pool.clear()
    assert engine.state().reused_tokens == 0
    return answers


def test_together_each_gets_what_it_gets_alone(make: Make, alone: list[str]) -> None:
    engine = make(guessed=0)
    made = [future.result(60) for future in [ask(engine, question) for question in QUESTIONS]]
    assert texts(made) == alone
    state = engine.state()
    assert state.rows > 1.5 * state.steps, "they shared steps"


def test_what_is_kept_changes_no_token(make: Make, alone: list[str]) -> None:
    engine = make(guessed=0)
    for _ in range(2):
        made = [ask(engine, question).result(60) for question in QUESTIONS]
        assert texts(made) == alone
    assert all(each.reused_tokens >= each.prompt_tokens - 2 * BLOCK for each in made)


def test_guesses_change_no_token_and_save_steps(make: Make, alone: list[str]) -> None:
    engine = make(guessed=8)
    made = [ask(engine, question).result(60) for question in QUESTIONS]
    assert texts(made) == alone
    state = engine.state()
    assert state.accepted_tokens > 10
    assert state.steps < state.written_tokens


def test_guesses_of_a_smaller_model_change_no_token(make: Make, alone: list[str], small_base: Path) -> None:
    engine = make(guessed=4, draft=small_base, from_text=False)
    made = [future.result(60) for future in [ask(engine, question) for question in QUESTIONS]]
    assert texts(made) == alone
    # It guesses for itself, so that every guess holds.
    assert sum(each.accepted_tokens for each in made) == sum(each.drafted_tokens for each in made) > 10


def test_sampled_answers_too_are_the_same_with_guesses_and_without(make: Make) -> None:
    sampling = Sampling(max_new_tokens=24, temperature=0.8, top_p=0.95, seed=7, repetition_penalty=1.05)
    found = [
        [ask(make(guessed=guessed), question, sampling).result(60).text for question in QUESTIONS[:3]]
        for guessed in (0, 8)
    ]
    assert found[0] == found[1]


def test_a_follow_up_reads_the_answer_and_what_is_new(make: Make) -> None:
    engine = make()
    messages = [{"role": "user", "content": QUESTIONS[3]}]
    first = engine.start(messages, LONG).result(60)
    messages += [{"role": "assistant", "content": first.text}, {"role": "user", "content": "And K3?"}]
    second = engine.start(messages, LONG).result(60)
    assert second.reused_tokens > first.prompt_tokens - BLOCK
    fresh = make().start(messages, LONG).result(60)
    assert fresh.text == second.text


def test_base_and_adapters_share_a_batch_and_the_base_stays_what_it_was_to_the_bit(
    make: Make, alone: list[str], adapter: Path, small_base: Path, tmp_path: Path
) -> None:
    engine = make()
    other = make_adapter(small_base, tmp_path / "other", rank=2, seed=1, strength=0.4)
    names = [None, engine.load_adapter(adapter), engine.load_adapter(other)]
    apart = [[ask(engine, each, adapter=name).result(60).text for each in QUESTIONS] for name in names]
    engine.load()._pool.clear()
    futures = [[ask(engine, each, adapter=name) for each in QUESTIONS] for name in names]
    together = [[future.result(60).text for future in row] for row in futures]
    assert together == apart
    assert together[0] == alone
    assert len({tuple(row) for row in apart}) == 3


def test_an_adapter_has_the_effect_that_it_has_in_transformers(adapter: Path, small_base: Path) -> None:
    from kernel.chat.paged.lora import read_lora

    model = LanguageModel(small_base.name, small_base, dtype="float32", threads=1)
    name = model.load_adapter(adapter)
    ids = model.tokenizer.encode_chat([{"role": "user", "content": QUESTIONS[0]}])
    paged = PagedModel(small_base, precision="float32", threads=1, cache_mb=16, kv_precision="f32")
    place = paged.add(read_lora(adapter, "loud"))
    for theirs, own in ((None, None), (name, place)):
        wanted = model._logits(ids, len(ids) - 1, 1, theirs)[0].numpy()
        (found,) = paged.run([Row(ids, 0, range(20), own)])
        np.testing.assert_allclose(found[0], wanted, atol=5e-3)


def test_in_float32_the_answer_is_the_one_of_transformers(make: Make, small_base: Path) -> None:
    model = LanguageModel(small_base.name, small_base, dtype="float32", threads=1)
    engine = make(precision="float32")
    for question in QUESTIONS[:3]:
        messages = [{"role": "user", "content": question}]
        assert engine.start(messages, LONG).result(60).text == model.generate(messages, LONG).text


def test_the_logits_of_a_token_do_not_depend_on_how_the_prompt_was_parted(small_base: Path) -> None:
    model = PagedModel(small_base, precision="int8", threads=2, cache_mb=16)
    ids = [int(each) for each in np.random.default_rng(0).integers(3, 40_000, 200)]

    def read(sizes: list[int], beside: list[Row]) -> Any:
        past, logits = 0, None
        for size in sizes:
            logits, *_ = model.run([Row(ids[past : past + size], past, range(8)), *beside])
            past += size
        assert past == len(ids)
        assert logits is not None
        return logits[-1].copy()

    whole = read([200], [])
    for sizes in ([32, 168], [100, 100], [7, 190, 3], [2] * 100):
        np.testing.assert_array_equal(read(sizes, []), whole)
    np.testing.assert_array_equal(
        read([50, 150], [Row(ids[:9], 0, [20]), Row([5], 3, [21], written=True)]), whole
    )


def test_the_logits_of_what_is_written_do_not_depend_on_how_many_share_a_step(small_base: Path) -> None:
    model = PagedModel(small_base, precision="int8", threads=2, cache_mb=16)
    ids = [int(each) for each in np.random.default_rng(0).integers(3, 40_000, 200)]
    model.run([Row(ids[:150], 0, range(8))])
    one_by_one = [
        model.run([Row([ids[place]], place, range(8), written=True)])[0][0].copy()
        for place in range(150, 160)
    ]
    model.run([Row(ids[:150], 0, range(8, 16))])
    beside = [Row([7], 3, [20], written=True), Row(ids[:30], 0, [21])]
    for others in ([], beside[:1], beside):
        together, *_ = model.run([Row(ids[150:160], 150, range(8, 16), None, 10, written=True), *others])
        np.testing.assert_array_equal(together, one_by_one)


def test_a_text_comes_in_pieces_that_together_are_the_answer(make: Make) -> None:
    pieces: list[str] = []
    made = ask(make(), QUESTIONS[1], on_text=pieces.append).result(60)
    assert made.finish_reason in (FinishReason.LENGTH, FinishReason.STOP)
    assert "".join(pieces) == made.text
    assert len(pieces) > 3


def test_drafts_of_one_prompt_read_it_once_and_differ(make: Make) -> None:
    engine = make()
    sampling = Sampling(max_new_tokens=8, temperature=1.2, seed=1)
    messages = [{"role": "user", "content": QUESTIONS[3]}]
    drafts = engine.start_drafts(messages, sampling, 4).result(60)
    again = make().start_drafts(messages, sampling, 4).result(60)
    assert texts(drafts) == texts(again)
    assert len(set(texts(drafts))) > 2
    assert [each.reused_tokens > 0 for each in drafts] == [False, True, True, True]


def test_a_grammar_is_kept_to(make: Make) -> None:
    grammar = LLMatcher.grammar_from_regex("(seven|eleven) kilns")
    made = ask(make(), "Say something.", Sampling(max_new_tokens=40, grammar=grammar)).result(60)
    assert made.text in ("seven kilns", "eleven kilns")
    assert made.finish_reason is FinishReason.STOP
    with pytest.raises(TekioError, match="grammar"):
        ask(make(), "Say something.", Sampling(grammar="nonsense")).result(60)


# -- many at once, and what goes wrong --------------------------------------------------------------------


def until(holds: Callable[[], bool], seconds: float = 30) -> None:
    end = time.perf_counter() + seconds
    while not holds():
        assert time.perf_counter() < end, "it did not come to that"
        time.sleep(0.002)


def test_one_who_leaves_frees_the_place_within_a_step(make: Make) -> None:
    engine = make(slots=1, guessed=0)
    stop, steps = threading.Event(), list[int]()

    def leave(text: str) -> None:
        if not stop.is_set():
            stop.set()
            steps.append(engine.state().steps)

    left = ask(engine, QUESTIONS[0], ENDLESS, on_text=leave, stop=stop)
    following = ask(engine, "Hello.", Sampling(max_new_tokens=1))
    assert left.result(60).finish_reason is FinishReason.CANCELLED
    following.result(60)
    assert engine.state().steps <= steps[0] + 3
    assert engine.load()._pool.available == engine.load()._pool.count


def test_one_who_leaves_the_line_is_never_begun(make: Make) -> None:
    engine = make(slots=1)
    stop, waited = threading.Event(), threading.Event()
    first = ask(engine, QUESTIONS[0], ENDLESS, on_text=lambda _: waited.set(), stop=stop)
    waited.wait(30)
    second, third = ask(engine, QUESTIONS[1]), ask(engine, QUESTIONS[2], stop=(gone := threading.Event()))
    until(lambda: engine.state().waiting == 2)
    assert second.cancel()
    gone.set()
    stop.set()
    first.result(60)
    with pytest.raises(CancelledError):
        second.result(60)
    assert third.result(60).finish_reason is FinishReason.CANCELLED
    assert engine.state().prompt_tokens == first.result().prompt_tokens


def test_a_full_line_is_said_at_once_and_what_waits_is_answered(make: Make) -> None:
    engine = make(slots=1, queue=1)
    stop, begun = threading.Event(), threading.Event()
    first = ask(engine, QUESTIONS[0], ENDLESS, on_text=lambda _: begun.set(), stop=stop)
    begun.wait(30)
    second = ask(engine, QUESTIONS[1])
    until(lambda: engine.state().waiting == 1)
    with pytest.raises(BusyError):
        engine.check_room()
    with pytest.raises(BusyError) as caught:
        ask(engine, QUESTIONS[2]).result(60)
    assert caught.value.retry_after > 0
    stop.set()
    first.result(60)
    assert second.result(60).text


def test_an_answer_that_takes_too_long_is_cut_and_says_so(make: Make) -> None:
    engine = make(seconds=0.7, guessed=0)
    engine.load()
    made = ask(engine, QUESTIONS[0], ENDLESS).result(60)
    assert made.finish_reason is FinishReason.TIMEOUT
    assert made.seconds < 10


def test_one_who_waits_too_long_is_told_that_the_model_is_busy(make: Make) -> None:
    engine = make(slots=1, seconds=600, guessed=0)
    begun = threading.Event()
    stop = threading.Event()
    first = ask(engine, QUESTIONS[0], ENDLESS, on_text=lambda _: begun.set(), stop=stop)
    begun.wait(60)
    second = ask(engine, QUESTIONS[1], ENDLESS)
    line = engine.load()._waiting
    until = time.monotonic() + 60
    while not len(line) and time.monotonic() < until:
        time.sleep(0.01)
    (waiting,) = line
    waiting.seconds = 0.001  # its time is over, and that of the one at work is not
    with pytest.raises(BusyError, match="busy"):
        second.result(60)
    assert not first.done()
    stop.set()


def test_a_step_that_fails_fails_its_requests_and_the_next_is_answered(
    make: Make, alone: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = make()
    model = engine.load()._model
    whole = model.run

    def failing(rows: Any) -> Any:
        monkeypatch.setattr(model, "run", whole)
        raise RuntimeError("out of memory")

    monkeypatch.setattr(model, "run", failing)
    with pytest.raises(TekioError, match=r"failed while it wrote \(out of memory\)"):
        ask(engine, QUESTIONS[0]).result(60)
    assert ask(engine, QUESTIONS[0]).result(60).text == alone[0]
    assert engine.load()._pool.available == engine.load()._pool.count


def test_one_whose_text_cannot_be_handed_on_fails_alone(make: Make, alone: list[str]) -> None:
    engine = make()

    def refuse(text: str) -> None:
        raise ValueError("nobody there")

    first, second = ask(engine, QUESTIONS[0], on_text=refuse), ask(engine, QUESTIONS[1])
    with pytest.raises(TekioError, match="nobody there"):
        first.result(60)
    assert second.result(60).text == alone[1]


@pytest.mark.parametrize("tokens", [8200, 10**9])
def test_what_does_not_fit_the_window_is_refused(make: Make, tokens: int) -> None:
    with pytest.raises(TekioError, match="do not fit the window of 8192 tokens"):
        ask(make(), QUESTIONS[0], Sampling(max_new_tokens=tokens)).result(60)


def test_what_does_not_fit_the_memory_for_it_is_refused(make: Make) -> None:
    engine = make(cache_mb=1)
    with pytest.raises(TekioError, match="raise it, or ask"):
        ask(engine, QUESTIONS[3], Sampling(max_new_tokens=2000)).result(60)
    assert ask(engine, "Hello.", Sampling(max_new_tokens=2)).result(60).completion_tokens == 2


def test_more_than_fits_at_once_waits_and_is_answered(make: Make, alone: list[str]) -> None:
    engine = make(cache_mb=2)
    made = [future.result(60) for future in [ask(engine, each) for each in QUESTIONS]]
    assert texts(made) == alone


def test_a_closed_engine_fails_what_is_under_way_and_takes_nothing_new(make: Make) -> None:
    engine = make()
    begun = threading.Event()
    first = ask(engine, QUESTIONS[0], ENDLESS, on_text=lambda _: begun.set())
    begun.wait(30)
    engine.close()
    with pytest.raises(TekioError, match="closed"):
        first.result(60)
    with pytest.raises(TekioError, match="closed"):
        ask(engine, QUESTIONS[0]).result(60)


def test_an_adapter_that_is_none_leaves_the_others_as_they_are(
    make: Make, adapter: Path, small_base: Path, tmp_path: Path
) -> None:
    engine = make()
    silent = make_adapter(small_base, tmp_path / "silent", strength=0.0)
    wanted = ask(engine, QUESTIONS[0], adapter=engine.load_adapter(adapter)).result(60).text
    with pytest.raises(UsageError, match="has no effect"):
        engine.load_adapter(silent)
    assert ask(engine, QUESTIONS[0], adapter=engine.load_adapter(adapter)).result(60).text == wanted


def test_a_model_file_cut_short_is_named(make: Make, small_base: Path, tmp_path: Path) -> None:
    for path in small_base.iterdir():
        content = path.read_bytes()
        (tmp_path / path.name).write_bytes(content[:-1000] if path.suffix == ".safetensors" else content)
    with pytest.raises(TekioError, match=r"safetensors is damaged .*fetch the model again"):
        ask(make(tmp_path), "Hello.").result(60)
