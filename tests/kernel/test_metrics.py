"""Figures of questions: how they ended and what they cost, and nothing of what was asked."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from kernel.answer import Answer, FinishReason, Usage
from kernel.chat.paged.scheduler import SchedulerState
from kernel.metrics import Metrics
from retrieval.stages import Step


def answer(*, refused: bool = False, tokens: int = 9) -> Answer:
    return Answer(
        question="zanzibar?",
        answer="zanzibar",
        refused=refused,
        confidence=0.5,
        citations=[],
        unsupported=[],
        variant="base",
        technique="zero_shot",
        language="en",
        passages=[],
        usage=Usage(prompt_tokens=50 if tokens else 0, completion_tokens=tokens),
        finish_reason=FinishReason.REFUSED if refused else FinishReason.STOP,
        timings_ms={},
    )


def root(cache: str = "miss", error: BaseException | None = None) -> Step:
    step = Step("question")
    step.note(cache=cache)
    step.show(question="zanzibar?")
    step.begin("retrieve").end()
    step.end(error)
    return step


def test_questions_are_counted_by_how_they_ended() -> None:
    pytest.importorskip("opentelemetry.exporter.prometheus")
    metrics = Metrics(prometheus=True)
    metrics.record(root(), answer())
    metrics.record(root("exact"), answer(tokens=0))
    metrics.record(root(), answer(refused=True))
    metrics.record(root(error=ValueError("zanzibar")), None)
    metrics.record(root(error=asyncio.CancelledError()), None)
    body, kind = metrics.text()
    text = body.decode()
    assert kind.startswith("text/plain")
    counts = [line for line in text.splitlines() if line.startswith("tekio_questions_total{")]
    assert len(counts) == 5
    for outcome in ("answered", "refused", "error", "cancelled"):
        assert any(f'outcome="{outcome}"' in line for line in counts), outcome
    assert any('cache="exact"' in line for line in counts)
    assert "gen_ai_client_token_usage_sum" in text
    assert 'stage="retrieve"' in text
    assert "zanzibar" not in text
    metrics.close()


def test_without_a_destination_nothing_is_made() -> None:
    metrics = Metrics()
    metrics.record(root(), answer())
    assert not metrics.is_on
    metrics.close()


def test_without_its_package_prometheus_says_what_to_install() -> None:
    code = """
import sys
sys.modules["opentelemetry.exporter.prometheus"] = None
from kernel.chat.paged.scheduler import SchedulerState
from kernel.metrics import Metrics
from retrieval.errors import UsageError
try:
    Metrics(prometheus=True)
except UsageError as error:
    print(error)
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.stdout.strip().endswith("pip install 'tekio[prometheus]'")


def test_what_is_served_in_batches_can_be_read_when_there_is_any() -> None:
    pytest.importorskip("opentelemetry.exporter.prometheus")
    metrics = Metrics(prometheus=True)
    states: list[SchedulerState | None] = [None]
    metrics.watch_batches(lambda: states[0])
    assert "tekio_generation" not in metrics.text()[0].decode()
    states[0] = SchedulerState(
        running=2, waiting=1, prompt_tokens=90, reused_tokens=64, drafted_tokens=8, accepted_tokens=6
    )
    lines = metrics.text()[0].decode().splitlines()
    for line in ("tekio_generation_prompt_tokens_total 90.0", "tekio_generation_reused_tokens_total 64.0"):
        assert line in lines
    assert {"tekio_generation_accepted_tokens_total 6.0", "tekio_generation_waiting 1.0"} <= set(lines)
    metrics.close()
