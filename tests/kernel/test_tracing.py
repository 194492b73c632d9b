"""The spans of a question: each stage, whose child it is, what is in it and what never is."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any

import pytest

from kernel.answer import TokenEvent, TraceStep
from kernel.app import Tekio
from kernel.language_models import LanguageModels
from kernel.model_store import ModelStore
from kernel.settings import Settings
from kernel.tracing import Tracing, incoming
from retrieval.errors import TekioError, UsageError

DOCUMENT = "# Kiln K2\n\nThe kiln K2 is fired at 1,240 °C for nine hours. The word is zanzibar.\n"
HOT = "At what temperature is the kiln K2 fired?"
WORDS = ("kiln", "zanzibar", "1,240", "temperature")
TRACE = "0af7651916cd43dd8448eb211c80319c"


class Err:
    """Standard error, where the spans of `console` go."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self._seen = ""

    def getvalue(self) -> str:
        self._seen += self._capsys.readouterr().err
        return self._seen


@pytest.fixture
def err(capsys: pytest.CaptureFixture[str]) -> Err:
    return Err(capsys)


@pytest.fixture(scope="module")
def kept(model_store: ModelStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tekio]:
    """An index of one document, and the loaded models."""
    place = tmp_path_factory.mktemp("traced")
    (place / "kiln.md").write_text(DOCUMENT, encoding="utf-8")
    app = Tekio(
        Settings(
            index=place / "index",
            memory=place / "memory",
            adapters=place / "adapters",
            cache=model_store.cache,
            max_new_tokens=12,
        )
    )
    app.ingest([place / "kiln.md"])
    yield app
    app.close()


@pytest.fixture
def make(kept: Tekio) -> Iterator[Any]:
    """Open facades with further settings over the same index and loaded models."""
    made: list[Tekio] = []

    def open_tekio(**more: Any) -> Tekio:
        app = Tekio(kept.settings.model_copy(update=more))
        app._embedder = kept._find_embedder()
        app._start().variants._local = kept._start().variants._local
        made.append(app)
        return app

    kept.forget_answers()
    yield open_tekio
    for app in made:
        app._start().variants._local = LanguageModels(app.settings, app._models)  # not the other's
        app.close()


def spans(err: Err) -> list[dict[str, Any]]:
    return [json.loads(line) for line in err.getvalue().splitlines() if line.startswith("{")]


def by_name(found: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {span["name"]: span for span in found}


async def test_every_stage_is_a_span_below_the_question_with_facts_and_no_content(
    make: Any, err: Err, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEMANTICKERNEL_EXPERIMENTAL_GENAI_ENABLE_OTEL_DIAGNOSTICS_SENSITIVE", "true")
    answer = await make(trace="console").ask(HOT, variant="base")
    found = by_name(spans(err))
    assert {"question", "cache", "parts", "retrieve", "rank", "budget", "generate", "check"} <= set(found)
    assert {"embed", "dense", "keyword", "late", "fuse", "select"} <= set(found)
    question = found["question"]
    assert question["parent_id"] is None
    for name in ("cache", "parts", "retrieve", "rank", "budget", "generate", "check"):
        assert found[name]["parent_id"] == question["context"]["span_id"], name
    for name in ("embed", "dense", "keyword", "fuse", "select"):
        assert found[name]["parent_id"] == found["retrieve"]["context"]["span_id"], name
    assert len({span["context"]["trace_id"] for span in found.values()}) == 1
    generate = found["generate"]["attributes"]
    assert generate["gen_ai.operation.name"] == "chat"
    assert generate["gen_ai.request.model"] == "SmolLM2-135M-Instruct"
    assert generate["gen_ai.usage.input_tokens"] == answer.usage.prompt_tokens > 0
    assert generate["gen_ai.usage.output_tokens"] == answer.usage.completion_tokens > 0
    assert question["attributes"]["tekio.technique"] == "zero_shot"
    assert question["attributes"]["tekio.cache"] == "miss"
    assert not any(word in err.getvalue() for word in WORDS), "no span says what was asked or found"
    assert question["resource"]["attributes"]["service.name"] == "tekio"


async def test_content_is_in_spans_where_the_setting_says_so(make: Any, err: Err) -> None:
    await make(trace="console", trace_content=True).ask(HOT, variant="base")
    found = by_name(spans(err))
    assert found["question"]["attributes"]["tekio.question"] == HOT
    messages = json.loads(found["generate"]["attributes"]["gen_ai.input.messages"])
    assert [message["role"] for message in messages] == ["system", "user"]
    assert "1,240" in messages[1]["content"]


async def test_a_stored_answer_is_a_span_that_says_so(make: Any, err: Err) -> None:
    app = make(trace="console")
    await app.ask(HOT, variant="extractive")
    await app.ask(HOT, variant="extractive")
    last = [span for span in spans(err) if span["name"] == "question"][-1]
    assert last["attributes"]["tekio.cache"] == "exact"


async def test_a_stream_that_is_left_ends_its_spans_with_the_tokens_so_far(
    make: Any, err: Err, caplog: pytest.LogCaptureFixture
) -> None:
    app = make(trace="console")
    async with aclosing(app.ask_stream(HOT, variant="base")) as events:
        async for event in events:
            if isinstance(event, TokenEvent):
                break
    found = by_name(spans(err))
    assert found["generate"]["attributes"]["gen_ai.usage.output_tokens"] >= 1
    assert found["question"]["status"]["status_code"] == "ERROR"
    assert found["question"]["attributes"]["error.type"] in ("GeneratorExit", "CancelledError")
    assert "detach" not in caplog.text


async def test_two_streams_in_one_task_do_not_mix_their_spans(make: Any, err: Err) -> None:
    app = make(trace="console", answer_cache=False)
    one, other = (app.ask_stream(HOT, variant="base", top_k=number) for number in (1, 2))
    async with aclosing(one), aclosing(other):
        for _ in range(3):
            await anext(one)
            await anext(other)
        async for _ in one:
            pass
        async for _ in other:
            pass
    questions = [span for span in spans(err) if span["name"] == "question"]
    assert len({span["context"]["trace_id"] for span in questions}) == 2
    for question in questions:
        trace = question["context"]["trace_id"]
        own = [span for span in spans(err) if span["context"]["trace_id"] == trace]
        assert sorted(span["name"] for span in own).count("generate") == 1
        (retrieve,) = [span for span in own if span["name"] == "retrieve"]
        assert retrieve["attributes"]["tekio.top_k"] == question["attributes"]["tekio.top_k"]


async def test_a_question_is_below_the_span_of_who_asks(err: Err) -> None:
    from opentelemetry import context as contexts

    tracing = Tracing("console")
    token = contexts.attach(incoming({"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}))
    root = tracing.root("question")
    contexts.detach(token)
    await asyncio.to_thread(root.begin("inner").end)
    root.end()
    assert {span["context"]["trace_id"] for span in spans(err)} == {f"0x{TRACE}"}
    assert by_name(spans(err))["question"]["parent_id"] == "0xb7ad6b7169203331"
    broken = Tracing("console").root("question")
    broken.end()
    assert incoming({"traceparent": "nonsense"}) is not None


async def test_the_answer_brings_the_tree_and_the_prompt_when_it_is_asked_for(make: Any) -> None:
    app = make()
    answer = await app.ask(HOT, variant="base", trace=True)
    assert answer.trace is not None
    steps = {step.name: step for step in answer.trace.steps}
    assert steps["generate"].prompt is not None
    assert (
        "zanzibar" in steps["generate"].prompt[1]["content"]
        or "1,240" in steps["generate"].prompt[1]["content"]
    )
    assert steps["generate"].notes["prompt_tokens"] == answer.usage.prompt_tokens
    assert {step.name for step in steps["retrieve"].steps} >= {"embed", "dense", "keyword"}
    assert answer.trace.ms >= sum(step.ms for step in answer.trace.steps) - 1
    assert (await app.ask(HOT, variant="extractive")).trace is None
    traced: list[TraceStep] = []
    await app.search("kiln", on_trace=traced.append)
    assert [step.name for step in traced[0].steps] == ["parts", "retrieve"]


async def test_the_tokens_of_an_answer_are_those_that_the_model_got_and_made(make: Any) -> None:
    app = make()
    answer = await app.ask(HOT, variant="base", trace=True, max_new_tokens=5)
    assert answer.trace is not None
    (prompt,) = [step.prompt for step in answer.trace.steps if step.prompt]
    tokenizer = (await app._started()).variants._local.engines().tokenizer
    assert answer.usage.prompt_tokens == len(tokenizer.encode_chat(prompt))
    assert answer.usage.completion_tokens == 5, "cut, and counted"


async def test_neither_questions_nor_documents_nor_keys_reach_the_logs(
    make: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", "swordfish")
    app = make()
    with caplog.at_level(logging.INFO):
        await app.ask(HOT, variant="base")
        await app.ask("Who won the chess match about zanzibar?")
        await app.search("zanzibar temperature")
        for wrong in ({"variant": "nobody"}, {"where": ["kiln"]}, {"top_k": 0}, {"max_prompt_tokens": 30}):
            with pytest.raises(TekioError):
                await app.ask(HOT, **({"variant": "base"} | wrong))
    said = "\n".join(record.getMessage() for record in caplog.records)
    assert not any(word in said for word in (*WORDS, "swordfish")), said


def test_without_its_packages_otlp_says_what_to_install() -> None:
    code = """
import sys
sys.modules["opentelemetry.exporter.otlp.proto.http"] = None
from kernel.tracing import Tracing
from retrieval.errors import UsageError
try:
    Tracing("otlp")
except UsageError as error:
    print(error)
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'tekio[otlp]'" in ended.stdout
    assert len(ended.stdout.splitlines()) == 1


def test_another_protocol_than_http_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    with pytest.raises(UsageError, match="http/protobuf"):
        Tracing("otlp")


def test_a_collector_that_is_not_there_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    tracing = Tracing("otlp")
    tracing.root("question").end()
    began = time.perf_counter()
    tracing.close()
    assert time.perf_counter() - began < 8


def test_spans_reach_a_collector_by_otlp(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    from http.server import BaseHTTPRequestHandler, HTTPServer
    from threading import Thread

    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    got: list[bytes] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Collector)
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    tracing = Tracing("otlp")
    root = tracing.root("question")
    root.begin("retrieve").end()
    root.end()
    tracing.close()
    server.shutdown()
    sent = [ExportTraceServiceRequest.FromString(body) for body in got]
    names = [
        span.name
        for request in sent
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    assert sorted(names) == ["question", "retrieve"]


def test_a_step_costs_microseconds_when_nobody_watches() -> None:
    tracing = Tracing()
    began = time.perf_counter()
    for _ in range(200):
        root = tracing.root("question")
        for name in ("cache", "parts", "retrieve", "rank", "budget", "generate", "check"):
            with root.begin(name) as step:
                step.note(found=1)
        root.end()
    assert (time.perf_counter() - began) / 200 < 0.02, "far below what anything else takes"
