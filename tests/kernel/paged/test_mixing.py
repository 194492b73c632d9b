"""Mixtures of several readers: what is written is what the mixed distributions give, whoever computes them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llguidance import LLMatcher

from kernel.answer import FinishReason
from kernel.chat.chat_tokens import ChatTokenizer
from kernel.chat.generation import Generation, Sampling
from kernel.chat.paged.generator import BatchedGenerator
from kernel.chat.paged.mixing import MixRule, Mixture, mixed
from kernel.chat.paged.serving import Serving
from kernel.chat.paged.step import Row
from retrieval.errors import TekioError
from tests.kernel.paged.test_generator import ENDLESS, LONG, QUESTIONS, ask

Served = tuple[BatchedGenerator, str]
RULES: tuple[MixRule, ...] = ("linear", "log_linear")
ENGINES = ("openvino", "torch")
SHORT = Sampling(max_new_tokens=16)


@pytest.fixture(scope="module")
def served_by(small_base: Path, adapter: Path) -> Iterator[Callable[[str], Served]]:
    """Give an engine over the small base with its adapter's name, loaded once for all tests."""
    made: dict[str, Served] = {}

    def find(engine: str) -> Served:
        if engine not in made:
            serving = Serving(engine=engine, precision="float32", cache_mb=64, threads=2)  # type: ignore[arg-type]
            one = BatchedGenerator(small_base.name, small_base, serving, ChatTokenizer(small_base))
            made[engine] = one, one.load_adapter(adapter)
        return made[engine]

    yield find
    for one, _ in made.values():
        one.close()


@pytest.fixture
def served(served_by: Callable[[str], Served]) -> Served:
    return served_by("openvino")


def written(made: Generation) -> tuple[str, int, FinishReason]:
    return made.text, made.completion_tokens, made.finish_reason


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max())
    return np.asarray(powers / powers.sum())


@pytest.mark.parametrize("rule", RULES)
def test_distributions_are_mixed_by_their_weights(rule: MixRule) -> None:
    logits = np.random.default_rng(0).normal(0, 5, (3, 50)).astype(np.float32)
    weights = [2.0, 1.0, 1.0]
    each = np.array([softmax(row.astype(np.float64)) for row in logits])
    shares = np.array([0.5, 0.25, 0.25])[:, None]
    expected = (shares * each).sum(0) if rule == "linear" else np.exp((shares * np.log(each)).sum(0))
    found = softmax(mixed(rule, weights, list(logits)))
    np.testing.assert_allclose(found, expected / expected.sum(), rtol=1e-9)


@pytest.mark.parametrize("rule", RULES)
def test_the_mixture_of_one_with_itself_has_its_logits(rule: MixRule) -> None:
    logits = np.random.default_rng(1).normal(3, 5, 50).astype(np.float32)
    np.testing.assert_allclose(mixed(rule, [0.3, 0.7], [logits, logits]), logits, rtol=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_base_with_itself_writes_what_the_base_writes_in_whatever_company(
    served_by: Callable[[str], Served], engine: str
) -> None:
    one, name = served_by(engine)
    alone = [written(ask(one, question).result(60)) for question in QUESTIONS[:3]]
    begun = [
        ask(one, question, mixture=Mixture(rule, (None, None), (1, 2)))
        for question in QUESTIONS[:3]
        for rule in RULES
    ]
    begun += [ask(one, question, adapter=name) for question in QUESTIONS[:3]]
    made = [each.result(60) for each in begun][:6]
    assert [written(each) for each in made] == [each for each in alone for _ in RULES]
    assert sum(each.accepted_tokens for each in made), "guesses were checked against the mixture"


@pytest.mark.parametrize("rule", RULES)
def test_a_mixture_writes_what_transformers_and_peft_give_mixed_by_hand(
    served_by: Callable[[str], Served], rule: MixRule, adapter: Path, small_base: Path
) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    tokenizer = served_by("openvino")[0].tokenizer
    ids = tokenizer.encode_chat([{"role": "user", "content": QUESTIONS[0]}])
    base = AutoModelForCausalLM.from_pretrained(small_base, dtype="float32")
    model = PeftModel.from_pretrained(base, str(adapter)).eval()
    new: list[int] = []
    with torch.inference_mode():
        while len(new) < SHORT.max_new_tokens and (not new or new[-1] not in tokenizer.stop_ids):
            tokens = torch.tensor([[*ids, *new]])
            with model.disable_adapter():
                first = torch.log_softmax(model(tokens).logits[0, -1].double(), -1)
            second = torch.log_softmax(model(tokens).logits[0, -1].double(), -1)
            both = 0.5 * first.exp() + 0.5 * second.exp() if rule == "linear" else 0.5 * first + 0.5 * second
            new.append(int(both.argmax()))
    by_hand = tokenizer.decode(new)
    for engine in ENGINES:
        one, name = served_by(engine)
        mixture = Mixture(rule, (None, name), (2, 2))
        assert ask(one, QUESTIONS[0], SHORT, mixture=mixture).result(60).text == by_hand
        only = [ask(one, QUESTIONS[0], SHORT, adapter=each).result(60).text for each in (None, name)]
        assert by_hand not in only, "neither member writes this"


def test_guesses_and_what_is_kept_change_no_token_of_a_mixture(served: Served) -> None:
    engine, name = served
    mixture = Mixture("linear", (None, name), (0.7, 0.3))
    engine._serving = replace(engine._serving, guessed=0)
    plain = [ask(engine, question, mixture=mixture).result(60) for question in QUESTIONS[:2]]
    engine._serving = replace(engine._serving, guessed=8)
    scheduler = engine.load()
    scheduler.call(scheduler.forget).result(60)
    ask(engine, QUESTIONS[0]).result(60)  # so that the base has read the prompt, and the adapter has not
    for _ in range(2):
        made = [ask(engine, question, mixture=mixture).result(60) for question in QUESTIONS[:2]]
        assert [written(each) for each in made] == [written(each) for each in plain]
    assert made[0].reused_tokens > made[0].prompt_tokens // 2, "each member found what it had read"
    assert sum(each.drafted_tokens for each in made)


def test_a_seed_gives_the_same_sample_of_a_mixture_again_and_drafts_differ(served: Served) -> None:
    engine, name = served
    mixture = Mixture("log_linear", (None, name), (0.9, 0.1))
    free = Sampling(max_new_tokens=12, temperature=1.0, seed=3)
    first, again = (ask(engine, QUESTIONS[0], free, mixture=mixture).result(60) for _ in range(2))
    assert first.text == again.text
    drafts = engine.start_drafts([{"role": "user", "content": QUESTIONS[0]}], free, 3, mixture=mixture)
    texts = [each.text for each in drafts.result(60)]
    assert texts[0] == first.text
    assert len(set(texts)) == 3


def test_a_mixture_keeps_to_a_grammar(served: Served) -> None:
    engine, name = served
    grammar = LLMatcher.grammar_from_regex(r"[0-9]{4}")
    made = ask(
        engine,
        QUESTIONS[1],
        replace(LONG, grammar=grammar),
        mixture=Mixture("linear", (None, name), (0.5, 0.5)),
    ).result(60)
    assert made.text.isdigit()
    assert len(made.text) == 4


def test_all_readers_of_a_mixture_leave_together(served: Served) -> None:
    engine, name = served
    pool, stop, begun = engine.load()._pool, threading.Event(), threading.Event()
    free = pool.available
    under_way = ask(
        engine,
        QUESTIONS[0],
        ENDLESS,
        mixture=Mixture("linear", (None, name), (0.5, 0.5)),
        stop=stop,
        on_text=lambda text: begun.set(),
    )
    assert begun.wait(60)
    assert pool.available < free
    stop.set()
    assert under_way.result(60).finish_reason is FinishReason.CANCELLED
    assert pool.available == free
    assert engine.state().running == 0


def test_one_with_more_readers_than_slots_is_served_alone_and_others_wait(served: Served) -> None:
    engine, _ = served
    scheduler = engine.load()
    slots, scheduler._slots = scheduler._slots, 1
    mixture = Mixture("linear", (None, None), (0.5, 0.5))
    begun = [ask(engine, QUESTIONS[0], SHORT, mixture=each) for each in (mixture, None, mixture, None)]
    made = [each.result(60) for each in begun]
    scheduler._slots = slots
    assert len({each.text for each in made}) == 1


def test_a_mixture_that_does_not_fit_the_memory_says_how_many_read(served: Served) -> None:
    many = Mixture("linear", (None,) * 99, (1.0,) * 99)
    with pytest.raises(TekioError, match="for each of 99 members, do not fit"):
        ask(served[0], QUESTIONS[0], replace(LONG, max_new_tokens=1000), mixture=many).result(60)


def test_a_member_without_numbers_is_left_out_and_the_rest_decide(
    served_by: Callable[[str], Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, name = served_by("torch")
    alone = ask(engine, QUESTIONS[0]).result(60)
    model = engine.load()._model
    run = model.run

    def diverged(rows: Sequence[Row]) -> list[Any]:
        found = run(rows)
        return [each if row.adapter is None else each * np.nan for row, each in zip(rows, found, strict=True)]

    monkeypatch.setattr(model, "run", diverged)
    made = ask(engine, QUESTIONS[0], mixture=Mixture("linear", (name, None), (0.5, 0.5))).result(60)
    assert made.left_out == (0,)
    assert made.text == alone.text
    broken = ask(engine, QUESTIONS[0], mixture=Mixture("linear", (name, name), (0.5, 0.5)))
    with pytest.raises(TekioError, match="none of the members"):
        broken.result(60)


def test_what_a_member_would_write_behind_a_text_is_what_it_writes(served: Served) -> None:
    engine, name = served
    chat = [{"role": "user", "content": QUESTIONS[0]}]
    answer = engine.start(chat, LONG).result(60).text
    ids, (base, other) = engine.logits_behind(chat, answer, [None, name])
    assert base.shape == other.shape == (len(ids), engine.load().vocabulary)
    assert base[:-1].argmax(1).tolist() == ids[:-1]
    assert ids[-1] in engine.tokenizer.stop_ids
    assert other.argmax(1).tolist() != ids
