"""A request's `traceparent` reaches the question, whichever way the answer is sent; and the figures of the API."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest
from opentelemetry import trace

from kernel.answer import AskEvent
from kernel.settings import Settings
from tests.ui.conftest import ScriptedTekio
from ui.rest import create_app

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}


class Traced(ScriptedTekio):
    """Notes in which trace it was asked."""

    traces: list[str]

    async def _events(self, variant: str | None) -> AsyncGenerator[AskEvent, None]:
        self.traces.append(f"{trace.get_current_span().get_span_context().trace_id:032x}")
        async for event in super()._events(variant):
            yield event

    async def figures(self) -> tuple[bytes, str] | None:
        return b"tekio_questions_total 1.0\n", "text/plain; version=1.0.0"


def opened(scripted: type[ScriptedTekio], **settings: object) -> Traced:
    kind = type("TracedTekio", (Traced, scripted), {"traces": []})
    tekio = kind(Settings(index=Path("index"), **settings))  # type: ignore[arg-type]
    assert isinstance(tekio, Traced)
    return tekio


def client(tekio: Traced) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_app(tekio))
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")


@pytest.mark.parametrize("stream", [False, True])
async def test_the_question_is_asked_in_the_callers_trace(
    scripted: type[ScriptedTekio], stream: bool
) -> None:
    tekio = opened(scripted)
    async with client(tekio) as http:
        for headers in (PARENT, {}, {"traceparent": "nonsense"}):
            body = {"question": "How long?", "stream": stream}
            assert (await http.post("/v1/ask", json=body, headers=headers)).status_code == 200
    assert tekio.traces == [TRACE, "0" * 32, "0" * 32]


async def test_figures_are_offered_where_the_setting_says_so(scripted: type[ScriptedTekio]) -> None:
    async with client(opened(scripted)) as http:
        assert (await http.get("/metrics")).status_code == 404
    async with client(opened(scripted, prometheus=True)) as http:
        figures = await http.get("/metrics")
    assert figures.text.startswith("tekio_questions_total")
    assert figures.headers["content-type"].startswith("text/plain")


async def test_a_request_may_refuse_stored_answers_and_bound_its_tokens(
    scripted: type[ScriptedTekio],
) -> None:
    tekio = opened(scripted)
    async with client(tekio) as http:
        body = {"question": "How long?", "cache": False, "max_new_tokens": 9, "max_prompt_tokens": 300}
        await http.post("/v1/ask", json=body)
        assert (await http.post("/v1/ask", json={"question": "q", "max_new_tokens": 0})).status_code == 422
    asked = tekio.asked[-1]
    assert (asked["cache"], asked["max_new_tokens"], asked["max_prompt_tokens"]) == (False, 9, 300)
