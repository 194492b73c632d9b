"""A conversation by `/v1/ask`: a turn is there once its answer came, and nobody but its caller goes on from it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from kernel import app
from kernel.conversation.history import PastTurn
from retrieval.errors import TekioError
from tests.ui.serving import events_of, served

if TYPE_CHECKING:
    from tests.ui.conftest import ScriptedTekio

AKI, BEN = {"X-User": "aki"}, {"X-User": "ben"}
TEXT = "The warranty lasts 24 months [1]. It is gold."


@pytest.fixture
def http(scripted: type[ScriptedTekio], monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    """A server that tells users apart, asked by Aki."""
    scripted.repeats = True
    monkeypatch.setenv("TEKIO_USER_HEADER", "X-User")
    with served(app.Tekio) as base, httpx.Client(base_url=base, headers=AKI, timeout=60) as client:
        yield client


def ask(http: httpx.Client, question: str, **more: Any) -> httpx.Response:
    return http.post("/v1/ask", json={"question": question, "conversation": "shift/1", **more})


def said(http: httpx.Client, **more: Any) -> list[tuple[str, str, bool]]:
    found = http.get("/v1/conversations/shift/1", **more)
    if found.status_code == 404:
        return []
    return [(turn["question"], turn["text"], turn["finished"]) for turn in found.json()["said"]]


@pytest.mark.parametrize("stream", [False, True])
def test_a_turn_is_kept_and_the_next_question_follows_it(
    http: httpx.Client, scripted: type[ScriptedTekio], stream: bool
) -> None:
    first = ask(http, "How long?", stream=stream)
    assert first.status_code == 200
    if stream:
        events = events_of(first)
        assert [name for name, _ in events][-2:] == ["answer", "done"]
        assert dict(events)["answer"]["notices"] == scripted.answer.notices
    assert said(http) == [("How long?", TEXT, True)]
    assert ask(http, "And why?", stream=stream).status_code == 200
    assert scripted.asked[-1]["history"] == [PastTurn("How long?", TEXT, "How long?")]
    assert [question for question, _, _ in said(http)] == ["How long?", "And why?"]
    whole = http.get("/v1/conversations/shift/1").json()["said"][0]["answer"]
    assert whole["citations"][0]["quote"] == "The warranty lasts 24 months."
    assert http.post("/v1/ask", json={"question": "How long?"}).status_code == 200
    assert len(http.get("/v1/conversations").json()["conversations"]) == 1


def test_nobody_goes_on_from_the_conversation_of_another(
    http: httpx.Client, scripted: type[ScriptedTekio]
) -> None:
    ask(http, "How long?")
    http.headers.update(BEN)
    ask(http, "And why?")
    assert "history" not in scripted.asked[-1]
    assert [question for question, _, _ in said(http)] == ["And why?"]
    assert [question for question, _, _ in said(http, headers=AKI)] == ["How long?"]


def test_turns_that_come_with_a_question_are_those_that_it_follows(
    http: httpx.Client, scripted: type[ScriptedTekio]
) -> None:
    ask(http, "How long?")
    ask(http, "And why?", history=[{"question": "Where is the pump?", "answer": "Here."}])
    assert scripted.asked[-1]["history"] == [PastTurn("Where is the pump?", "Here.")]
    assert len(said(http)) == 2


def test_where_nobody_is_known_whose_it_would_be_the_answer_says_that_it_is_not_kept(
    http: httpx.Client,
) -> None:
    http.headers.pop("X-User")
    for _ in range(2):
        answer = ask(http, "How long?").json()
        assert answer["answer"] == TEXT
        assert "was not kept in its conversation" in answer["notices"][-1]
    assert http.get("/v1/conversations").json() == {"conversations": []}


def test_what_fails_and_what_its_client_leaves_is_not_kept(
    http: httpx.Client, scripted: type[ScriptedTekio]
) -> None:
    ask(http, "How long?")
    scripted.error = TekioError("the model fell over: ask again")
    assert ask(http, "Why?").status_code >= 400
    assert events_of(ask(http, "Why?", stream=True))[-1][0] == "error"
    scripted.error, scripted.stuck = None, True
    cancelled = scripted.cancelled
    body = {"question": "And then?", "conversation": "shift/1", "stream": True}
    with http.stream("POST", "/v1/ask", json=body) as response:
        assert next(line for line in response.iter_lines() if line.startswith("event: token"))
    until = time.monotonic() + 60
    while scripted.cancelled == cancelled and time.monotonic() < until:
        time.sleep(0.05)
    assert scripted.cancelled == cancelled + 1
    assert [question for question, _, _ in said(http)] == ["How long?"]


def test_a_name_that_is_none_is_refused(http: httpx.Client) -> None:
    for name in ("a" * 201, "a\x00b", " "):
        refused = http.post("/v1/ask", json={"question": "How long?", "conversation": name})
        assert refused.status_code == 422, name
