"""Errors as problem details, and the description that declares them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import httpx
import pytest

from retrieval.errors import BusyError
from tests.ui.serving import served

if TYPE_CHECKING:
    from tests.ui.conftest import ScriptedTekio


@pytest.fixture
def client(scripted: type[ScriptedTekio]) -> Iterator[httpx.Client]:
    with served(scripted) as base, httpx.Client(base_url=base, timeout=60) as http:
        yield http


def test_an_error_says_what_happened_and_what_to_do(client: httpx.Client) -> None:
    response = client.post("/v1/ask", json={"question": "q", "top_k": 0})
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert {key: problem[key] for key in ("type", "title", "status")} == {
        "type": "/docs#problem-usage",
        "title": "What was asked for is wrong",
        "status": 422,
    }
    assert problem["detail"].startswith("top_k: ")
    assert problem["remedy"]
    assert problem["error"] == {"type": "usage", "message": problem["detail"], "param": "top_k"}
    assert 'id="problem-usage"' in client.get("/docs").text


@pytest.mark.parametrize(
    ("path", "headers", "status", "kind"),
    [
        ("/nonesuch", {}, 404, "not_found"),
        ("/v1/ask", {}, 405, "method_not_allowed"),
        ("/v1/variants", {"Host": "rebound.example"}, 400, "host_refused"),
    ],
)
def test_every_error_has_the_form(
    client: httpx.Client, path: str, headers: dict[str, str], status: int, kind: str
) -> None:
    response = client.get(path, headers=headers)
    assert response.headers["content-type"] == "application/problem+json"
    assert (response.json()["status"], response.json()["type"]) == (status, f"/docs#problem-{kind}")


def test_an_error_of_a_stream_has_it_too(client: httpx.Client, scripted: type[ScriptedTekio]) -> None:
    scripted.error = BusyError("too many are waiting", retry_after=7)
    text = client.post("/v1/ask", json={"question": "q", "stream": True}).text
    assert '"title": "Too many ask at once", "status": 429' in text


def test_every_error_is_declared_in_its_form(client: httpx.Client) -> None:
    description = client.get("/openapi.json").json()
    for path, operations in description["paths"].items():
        openai = path.startswith(("/v1/chat", "/v1/embeddings", "/v1/models"))
        for operation in operations.values():
            assert {"400", "403", "413", "500", "503"} <= set(operation["responses"])
            for status, response in operation["responses"].items():
                if status >= "400" and path != "/readyz":
                    form = "application/json" if openai else "application/problem+json"
                    assert list(response["content"]) == [form]
    assert "HTTPValidationError" not in description["components"]["schemas"]
    assert "deprecated" in description["info"]["description"]
