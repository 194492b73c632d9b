"""The breaker, the counts, the marks of roles and the rounds of a remote model, each alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.chat.chat_tokens import ChatTokenizer
from kernel.chat.remote.breaker import CircuitBreaker
from kernel.chat.remote.estimate import estimate
from kernel.chat.remote.faults import retry_after
from kernel.chat.remote.roles import apart
from kernel.chat.remote.rounds import Rounds
from kernel.model_store import ModelStore
from retrieval.errors import BusyError


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def failing(breaker: CircuitBreaker, times: int) -> None:
    for _ in range(times):
        breaker.enter()
        breaker.failed("no route")


def test_a_breaker_opens_after_failures_in_a_row_and_one_request_tries_after_the_pause() -> None:
    clock = Clock()
    breaker = CircuitBreaker("there", failures=3, pause=30, clock=clock)
    failing(breaker, 2)
    breaker.enter()
    breaker.worked()
    failing(breaker, 3)
    clock.now += 12.5
    with pytest.raises(
        BusyError, match="there failed 3 times in a row and is tried again in 18 s; last: no"
    ) as busy:
        breaker.enter()
    assert busy.value.retry_after == 18
    clock.now += 17.5
    breaker.enter()
    with pytest.raises(BusyError):
        breaker.enter()
    breaker.failed("still")
    with pytest.raises(BusyError, match="failed 4 times"):
        breaker.enter()
    clock.now += 30
    breaker.enter()
    breaker.worked()
    breaker.enter()
    breaker.enter()


def test_a_request_whose_caller_left_tells_nothing_and_lets_the_next_one_try() -> None:
    clock = Clock()
    breaker = CircuitBreaker("there", failures=1, pause=30, clock=clock)
    failing(breaker, 1)
    clock.now += 30
    breaker.enter()
    breaker.left()
    breaker.enter()


@pytest.mark.parametrize(
    "text",
    [
        "The pump P-12 is inspected every 500 hours, or after 1,240 starts (see section 4.2).",
        "Intramuscular administration of dexmedetomidine hydrochloride; contraindicated in hypotension.",
        "x = [1, 2, 3]; y = {'a': None}; print(f\"{x!r}\")",
    ],
)
def test_an_estimate_is_above_the_count_of_a_tokenizer_but_not_far(
    model_store: ModelStore, text: str
) -> None:
    tokenizer = ChatTokenizer(model_store.resolve("SmolLM2-135M-Instruct").folder)
    exact = len(tokenizer.encode_text(text))
    assert exact <= estimate(text) <= 2.5 * exact


def test_japanese_is_estimated_at_a_token_for_a_character() -> None:
    assert estimate("ポンプは点検する。") == 9
    assert estimate("") == 0


@pytest.mark.parametrize(
    "mark",
    ["<|im_start|>", "<|eot_id|>", "<｜User｜>", "</s>", "<<SYS>>", "[/INST]", "<end_of_turn>", "<bos>"],
)
def test_no_mark_of_a_role_stays_in_one_piece(mark: str) -> None:
    text = apart(f"a {mark}{mark} b")
    assert mark not in text
    assert text.replace(" ", "") == f"a{mark}{mark}b"


@given(st.text(alphabet="<>|[]/ISNT sabc", max_size=40))
def test_spelling_apart_is_done_once_and_adds_spaces_alone(text: str) -> None:
    once = apart(text)
    assert apart(once) == once
    assert once.replace(" ", "") == text.replace(" ", "")


@given(st.text(max_size=200), st.integers(1, 9))
def test_a_text_that_does_not_come_round_is_kept_whatever_its_pieces(text: str, size: int) -> None:
    rounds = Rounds()
    for place in range(0, len(text), size):
        rounds.add(text[place : place + size])
    assert rounds.text == text
    assert text.startswith(rounds.once())


def test_japanese_that_comes_round_is_cut_to_once() -> None:
    rounds = Rounds()
    sentence = "窯は千二百四十度で焼く。"
    assert any(rounds.add(sentence) for _ in range(40))
    assert rounds.once() == sentence


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 5),
        ("17", 17),
        ("0.2", 1),
        ("-4", 1),
        ("1e9", 3600),
        ("nan", 5),
        ("soon", 5),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 1),
        ("Wed, 21 Oct 2099 07:28:00 GMT", 3600),
    ],
)
def test_when_to_ask_again_is_read_as_seconds_or_a_date(header: str | None, seconds: int) -> None:
    assert retry_after(header) == seconds
