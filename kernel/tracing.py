"""The steps of a question as OpenTelemetry spans, sent to where the settings say.

A span holds plain facts (counts, tokens, who answered); what was asked, the prompt and what documents say only with
`content`. Semantic Kernel makes spans of its own by the process-wide provider, and puts prompts into them where
SEMANTICKERNEL_EXPERIMENTAL_GENAI_ENABLE_OTEL_DIAGNOSTICS_SENSITIVE says so; those here come from a provider of
their own, so that no such span is ever sent with them. Without a destination the spans go to the process-wide
provider, which does nothing unless a program that Tekio is a part of has set one.

Names are those of the semantic conventions for generative AI where there are such, else `tekio.…`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from retrieval.errors import UsageError
from retrieval.stages import Step, Value

Destination = Literal["", "console", "otlp"]
SCOPE = "tekio"
OTLP_MISSING = "trace and metrics by OTLP need further packages: pip install 'tekio[otlp]'"
PATIENCE_SECONDS = 3
"""How long a collector that does not answer may hold up the end of a process, unless OTEL_* variables say else."""

_NAMES = {
    "model": "gen_ai.request.model",
    "max_new_tokens": "gen_ai.request.max_tokens",
    "prompt_tokens": "gen_ai.usage.input_tokens",
    "completion_tokens": "gen_ai.usage.output_tokens",
    "finish_reason": "gen_ai.response.finish_reasons",
    "prompt": "gen_ai.input.messages",
    "draft": "gen_ai.output.messages",
}
_LISTS = {"finish_reason"}
_GENERATION = "generate"
_SENDS = {"question": trace.SpanKind.SERVER}


def resource() -> Any:
    """Return what the process is called by a collector; the OTEL_* variables win."""
    from opentelemetry.sdk.resources import Resource

    known = os.environ.get("OTEL_SERVICE_NAME") or "service.name=" in os.environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
    return Resource.create({"service.version": tekio_version()} | ({} if known else {"service.name": SCOPE}))


def tekio_version() -> str:
    """Return the version of the package, or `0` in a checkout that is not installed."""
    try:
        return version("tekio")
    except PackageNotFoundError:
        return "0"


class Tracing:
    """Makes spans of steps; a `retrieval.stages.Watcher`."""

    def __init__(self, destination: Destination = "", *, content: bool = False) -> None:
        """Open a destination.

        Args:
            destination: `console` writes a line of JSON for each span to standard error, `otlp` sends them to the
                collector that the OTEL_EXPORTER_OTLP_* variables name; empty leaves them to the process-wide provider.
            content: put the question, the prompt and the draft into the spans too.

        Raises:
            UsageError: the packages of `otlp` are not installed, or the variables name a protocol other than HTTP.
        """
        self._content = content
        self._provider = None if not destination else _provider(destination)
        if self._provider is None:
            self._tracer = trace.get_tracer(SCOPE, tekio_version())
        else:
            self._tracer = self._provider.get_tracer(SCOPE, tekio_version())

    def root(self, name: str) -> Step:
        """Begin a tree of steps, below the span of whoever called where there is one (`traceparent`)."""
        return Step(name, watcher=self)

    def began(self, step: Step, within: Step | None) -> trace.Span:
        """Begin a span, below that of the step that it is within."""
        parent = None
        if within is not None and isinstance(within.mark, trace.Span):
            parent = trace.set_span_in_context(within.mark)
        kind = _SENDS.get(step.name, trace.SpanKind.INTERNAL)
        return self._tracer.start_span(step.name, context=parent, kind=kind)

    def ended(self, step: Step) -> None:
        """End a step's span with what was noted of it."""
        span = step.mark
        if not isinstance(span, trace.Span):
            return
        if span.is_recording():
            span.set_attributes(_attributes(step, self._content))
            if step.error:
                # Its class only: a message can quote what was asked.
                span.set_status(trace.StatusCode.ERROR)
        span.end()

    def close(self) -> None:
        """Send what is waiting."""
        if self._provider is not None:
            self._provider.shutdown()


def _attributes(step: Step, content: bool) -> dict[str, Any]:
    found: dict[str, Any] = {_named(name): _value(name, value) for name, value in step.notes.items()}
    if step.name == _GENERATION:
        found |= {"gen_ai.operation.name": "chat", "gen_ai.provider.name": SCOPE}
    if step.error:
        found["error.type"] = step.error
    if content:
        found |= {
            _named(name): value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            for name, value in step.content.items()
        }
    return found


def _named(name: str) -> str:
    return _NAMES.get(name, f"{SCOPE}.{name}")


def _value(name: str, value: Value) -> Any:
    return (value,) if name in _LISTS and isinstance(value, str) else value


def _provider(destination: Destination) -> Any:
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SimpleSpanProcessor

    def line(span: ReadableSpan) -> str:
        return f"{span.to_json(indent=None)}\n"

    provider = TracerProvider(resource=resource(), shutdown_on_exit=False)
    if destination == "console":
        provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(out=sys.stderr, formatter=line)))
        return provider
    check_otlp()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(timeout=otlp_patience("TRACES"))))
    return provider


def check_otlp() -> None:
    """Check that spans and metrics can be sent by OTLP.

    Raises:
        UsageError: the packages are not installed, or the OTEL_* variables name a protocol other than HTTP.
    """
    protocol = os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    if protocol != "http/protobuf":
        raise UsageError(
            f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol}: Tekio sends by http/protobuf, to port 4318 unless "
            "OTEL_EXPORTER_OTLP_ENDPOINT says else"
        )
    try:
        import opentelemetry.exporter.otlp.proto.http  # noqa: F401
    except ImportError as error:
        raise UsageError(OTLP_MISSING) from error


def otlp_patience(signal: str) -> float | None:
    """Return how long sending may take; None where the OTEL_* variables say it."""
    names = (f"OTEL_EXPORTER_OTLP_{signal}_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT")
    return None if any(os.environ.get(name) for name in names) else PATIENCE_SECONDS


def incoming(headers: Mapping[str, str]) -> contexts.Context:
    """Return the context of a request: below the span that its W3C `traceparent` names, if it names one."""
    return TraceContextTextMapPropagator().extract(dict(headers))
