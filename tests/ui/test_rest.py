"""The API over real HTTP."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from kernel.answer import Answer, AskEvent, FinishReason
from retrieval.errors import BusyError, IndexBusyError, IndexMissingError, IndexSignatureError, TekioError
from tests.ui.serving import events_of, served
from ui.rest_guard import MAX_BODY_BYTES

if TYPE_CHECKING:
    from tests.ui.conftest import ScriptedTekio


@pytest.fixture
def client(scripted: type[ScriptedTekio]) -> Iterator[httpx.Client]:
    with served(scripted) as base, httpx.Client(base_url=base, timeout=60) as http:
        yield http


def wait_until(condition: Callable[[], bool], seconds: float = 5) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_an_answer_as_json(client: httpx.Client, scripted: type[ScriptedTekio]) -> None:
    response = client.post("/v1/ask", json={"question": "How long?"})
    assert response.status_code == 200
    assert Answer.model_validate(response.json()) == scripted.answer


@pytest.mark.parametrize("reason", list(FinishReason))
def test_the_last_event_carries_the_finish_reason(
    client: httpx.Client, scripted: type[ScriptedTekio], reason: FinishReason
) -> None:
    scripted.answer = scripted.answer.model_copy(update={"finish_reason": reason})
    events = events_of(client.post("/v1/ask", json={"question": "How long?", "stream": True}))
    assert [name for name, _ in events] == ["passages", "token", "token", "citation", "answer", "done"]
    assert events[-1][1]["finish_reason"] == reason.value
    assert events[-1][1]["usage"]["prompt_tokens"] == 50
    assert Answer.model_validate(events[-2][1]) == scripted.answer
    assert events[-3][1]["quote"] == scripted.answer.citations[0].quote
    assert events[1][1] == {"text": "The warranty "}


def test_each_citation_is_an_event_with_its_document(
    client: httpx.Client, scripted: type[ScriptedTekio]
) -> None:
    (passage,), (citation,) = scripted.answer.passages, scripted.answer.citations
    known = passage.model_copy(update={"document_id": "0a" * 12})
    scripted.answer = scripted.answer.model_copy(
        update={"passages": [known], "citations": [citation, citation.model_copy(update={"marker": 9})]}
    )
    events = events_of(client.post("/v1/ask", json={"question": "How long?", "stream": True}))
    found = [data for name, data in events if name == "citation"]
    assert [(each["marker"], each["document_id"]) for each in found] == [(1, "0a" * 12), (9, "")]


def test_accept_asks_for_a_stream_too(client: httpx.Client) -> None:
    response = client.post("/v1/ask", json={"question": "q"}, headers={"Accept": "text/event-stream"})
    assert response.headers["content-type"].startswith("text/event-stream")
    assert events_of(response)[-1][0] == "done"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (TekioError("the model is missing; fetch it"), "unavailable"),
        (RuntimeError("/secret/path"), "internal"),
    ],
)
def test_a_stream_that_fails_ends_with_an_error_event(
    client: httpx.Client, scripted: type[ScriptedTekio], error: Exception, kind: str
) -> None:
    scripted.error = error
    events = events_of(client.post("/v1/ask", json={"question": "q", "stream": True}))
    assert events[-1][0] == "error"
    assert events[-1][1]["error"]["type"] == kind
    assert "secret" not in json.dumps(events[-1])


@pytest.mark.parametrize("stream", [True, False])
def test_a_disconnect_cancels_the_generation(
    client: httpx.Client, scripted: type[ScriptedTekio], stream: bool
) -> None:
    scripted.stuck = True
    with pytest.raises(httpx.ReadTimeout):
        client.post("/v1/ask", json={"question": "q", "stream": stream}, timeout=0.5)
    assert wait_until(lambda: scripted.cancelled == 1)


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (IndexMissingError("there is no index"), 503, "no_index"),
        (IndexBusyError("busy"), 503, "index_busy"),
        (IndexSignatureError("another embedder"), 409, "index_signature"),
        (TekioError("no model"), 503, "unavailable"),
        (RuntimeError("/secret/path"), 500, "internal"),
    ],
)
def test_errors_have_one_form(
    client: httpx.Client, scripted: type[ScriptedTekio], error: Exception, status: int, kind: str
) -> None:
    scripted.error = error
    for path, body in (("/v1/search", {"query": "q"}), ("/v1/ask", {"question": "q"})):
        response = client.post(path, json=body)
        assert (response.status_code, response.json()["error"]["type"]) == (status, kind)
        assert "secret" not in response.text


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"{", 400, "not valid JSON"),
        (b"{}", 422, "question"),
        (b'{"question": "q", "top_k": 0}', 422, "top_k"),
        (b'{"question": "q", "topk": 3}', 422, "topk"),
        (b'{"question": "q", "variant": "nonesuch"}', 422, "base, extractive"),
    ],
)
def test_wrong_requests_are_told_in_one_line(
    client: httpx.Client, body: bytes, status: int, says: str
) -> None:
    response = client.post("/v1/ask", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == status
    message = response.json()["error"]["message"]
    assert says in message
    assert "\n" not in message


def test_how_passages_are_chosen_reaches_the_search(
    client: httpx.Client, scripted: type[ScriptedTekio]
) -> None:
    body = {"query": "q", "diversity": 0.25, "merge": False}
    (passage,) = client.post("/v1/search", json=body).json()["passages"]
    assert scripted.asked[-1] == {"query": "q", "where": [], "diversity": 0.25, "merge": False}
    assert len(passage["also_in"]) == 1
    for wrong in ({"diversity": 2}, {"diversity": "much"}, {"merge": "perhaps"}):
        assert client.post("/v1/search", json={"query": "q"} | wrong).status_code == 422


def test_sections_and_parts_reach_the_search_and_the_answer(
    client: httpx.Client, scripted: type[ScriptedTekio]
) -> None:
    body = {"query": "q", "parent": True, "multi_query": "rules", "explain": True}
    (passage,) = client.post("/v1/search", json=body).json()["passages"]
    assert scripted.asked[-1] == {"query": "q", "where": [], "parent": True, "multi_query": "rules"}
    assert list(passage["parts"].values()) == [2]
    client.post("/v1/ask", json={"question": "q", "multi_query": "off"})
    assert scripted.asked[-1]["multi_query"] == "off"
    for path, name in (("/v1/search", "query"), ("/v1/ask", "question")):
        response = client.post(path, json={name: "q", "multi_query": "nonsense"})
        assert response.status_code == 422
        assert "off, rules, model" in response.json()["error"]["message"]
    assert client.post("/v1/search", json={"query": "q", "parent": "perhaps"}).status_code == 422


def test_unknown_addresses_have_the_same_form(client: httpx.Client) -> None:
    assert client.get("/nonesuch").json()["error"]["type"] == "not_found"
    assert client.get("/v1/ask").status_code == 405


@pytest.mark.parametrize("declared", [True, False])
def test_a_large_body_is_refused(client: httpx.Client, declared: bool) -> None:
    body = b'{"question": "' + b"a" * MAX_BODY_BYTES + b'"}'
    content: Any = body if declared else iter([body[:500_000], body[500_000:]])
    response = client.post("/v1/ask", content=content, headers={"Content-Type": "application/json"})
    assert response.status_code == 413
    assert response.json()["error"]["type"] == "too_large"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "rebound.example"}, 400),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403),
        ({"Host": "localhost:8400", "Origin": "http://localhost:8400"}, 200),
        ({"Host": "[::1]:8400"}, 200),
    ],
)
def test_other_web_sites_are_refused(client: httpx.Client, headers: dict[str, str], status: int) -> None:
    response = client.post("/v1/search", json={"query": "q"}, headers=headers)
    assert response.status_code == status
    assert "access-control-allow-origin" not in response.headers


def test_documents_and_search_do_not_tell_where_files_lie(client: httpx.Client) -> None:
    documents = client.get("/v1/documents")
    found = client.post("/v1/search", json={"query": "q"})
    assert documents.json()["counts"] == {"documents": 1, "chunks": 12}
    assert found.json()["passages"][0]["page"] == 3
    assert "/secret" not in documents.text + found.text


def test_variants_and_techniques(client: httpx.Client) -> None:
    body = client.get("/v1/variants").json()
    assert body["variants"] == ["base", "extractive"]
    assert "chain_of_thought" in body["techniques"]
    assert (body["default_variant"], body["default_technique"]) == ("base", "zero_shot")


def test_health_without_an_index(client: httpx.Client, scripted: type[ScriptedTekio]) -> None:
    assert client.get("/healthz").json() == {
        "status": "ok",
        "index_present": True,
        "counts": {"documents": 1, "chunks": 12},
        "models": "loaded",
    }
    scripted.has_index = False
    response = client.get("/healthz")
    assert (response.status_code, response.json()["status"]) == (200, "no_index")
    assert client.get("/v1/documents").status_code == 503


@pytest.mark.parametrize(
    ("error", "state"),
    [(TekioError("the model is missing"), "failed"), (IndexMissingError("none"), "not_loaded")],
)
def test_models_that_did_not_load_are_tried_again(
    scripted: type[ScriptedTekio], monkeypatch: pytest.MonkeyPatch, error: TekioError, state: str
) -> None:
    attempts: list[int] = []

    async def failing_once(_self: ScriptedTekio) -> None:
        attempts.append(1)
        if len(attempts) == 1:
            raise error

    monkeypatch.setattr(scripted, "warm_up", failing_once)
    with served(scripted) as base:
        assert httpx.get(f"{base}/healthz").json()["models"] == state
        assert httpx.post(f"{base}/v1/ask", json={"question": "q"}).status_code == 200
        assert httpx.get(f"{base}/healthz").json()["models"] == "loaded"
    assert len(attempts) == 2


def test_the_description_names_every_model(client: httpx.Client) -> None:
    schema = client.get("/openapi.json").json()
    assert {"Answer", "AskRequest", "ErrorResponse", "PassageView", "Health"} <= set(
        schema["components"]["schemas"]
    )
    ask = schema["paths"]["/v1/ask"]["post"]["responses"]
    assert {"application/json", "text/event-stream"} == set(ask["200"]["content"])
    assert ask["422"]["content"]["application/problem+json"]["schema"]["$ref"].endswith("ErrorResponse")


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_the_documentation_needs_no_network(client: httpx.Client, path: str) -> None:
    page = client.get(path).text
    assert "/v1/ask" in page
    assert 'id="AskRequest"' in page
    assert "<script" not in page
    assert "http://" not in page
    assert "https://" not in page


@pytest.mark.parametrize("stream", [True, False])
def test_too_many_at_once_is_a_status_that_says_when_to_ask_again(
    scripted: type[ScriptedTekio], monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    async def refusing(_self: ScriptedTekio, _variant: str | None) -> AsyncGenerator[AskEvent, None]:
        raise BusyError("too many are waiting; ask again in 7 s", retry_after=7)
        yield

    monkeypatch.setattr(scripted, "_events", refusing)
    with served(scripted) as base:
        response = httpx.post(f"{base}/v1/ask", json={"question": "q", "stream": stream})
    assert (response.status_code, response.headers["retry-after"]) == (429, "7")
    assert response.json()["error"] == {
        "type": "busy",
        "message": "too many are waiting; ask again in 7 s",
        "retry_after": 7,
    }


def test_too_many_at_once_is_an_event_when_the_stream_has_begun(
    client: httpx.Client, scripted: type[ScriptedTekio]
) -> None:
    scripted.error = BusyError("too many are waiting", retry_after=7)
    response = client.post("/v1/ask", json={"question": "q", "stream": True})
    events = events_of(response)
    assert response.status_code == 200
    assert events[0][0] == "passages"
    assert events[-1][0] == "error"
    assert (events[-1][1]["error"]["type"], events[-1][1]["error"]["retry_after"]) == ("busy", 7)


@pytest.mark.parametrize("stream", [True, False])
def test_what_is_wrong_with_a_question_is_a_status_of_its_stream_too(
    client: httpx.Client, stream: bool
) -> None:
    response = client.post("/v1/ask", json={"question": "q", "variant": "nonesuch", "stream": stream})
    assert (response.status_code, response.json()["error"]["type"]) == (422, "usage")
