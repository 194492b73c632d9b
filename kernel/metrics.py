"""How many questions, how they ended, how long they took and what they cost, as OpenTelemetry metrics.

Nothing that was asked or found is in them, and no label can take more values than there are variants and techniques.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from kernel.answer import Answer
from kernel.tracing import SCOPE, check_otlp, otlp_patience, resource, tekio_version
from retrieval.errors import UsageError
from retrieval.stages import Step

if TYPE_CHECKING:
    from kernel.chat.paged.scheduler import SchedulerState

PROMETHEUS_MISSING = "prometheus = true needs further packages: pip install 'tekio[prometheus]'"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_TOKENS = (1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0)
_COUNTED = {
    "prompt_tokens": "tokens of prompts that were begun",
    "reused_tokens": "tokens of prompts whose keys and values were kept from before",
    "written_tokens": "tokens that were written",
    "drafted_tokens": "tokens that were guessed ahead",
    "accepted_tokens": "guessed tokens that held",
    "steps": "steps of the language model",
    "rows": "rows of these steps, together",
}
_NOW = {"running": "requests at work", "waiting": "requests that wait for the language model"}


class Metrics:
    """Counts questions; without a destination it does nothing."""

    def __init__(self, *, otlp: bool = False, prometheus: bool = False) -> None:
        """Open the destinations.

        Args:
            otlp: sends every minute (OTEL_METRIC_EXPORT_INTERVAL) to the collector that OTEL_* variables name.
            prometheus: keeps them for `text`.

        Raises:
            UsageError: the packages for one of them are not installed.
        """
        self._provider: Any = None
        self._registry: Any = None
        readers = []
        if otlp:
            readers.append(_otlp_reader())
        if prometheus:
            self._registry, reader = _prometheus_reader()
            readers.append(reader)
        if not readers:
            return
        from opentelemetry.sdk.metrics import MeterProvider

        self._provider = MeterProvider(readers, resource=resource(), shutdown_on_exit=False)
        meter = self._provider.get_meter(SCOPE, tekio_version())
        self._questions = meter.create_counter("tekio.questions", description="questions, by how they ended")
        self._duration = meter.create_histogram(
            "tekio.question.duration",
            unit="s",
            description="time of a question until its answer",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._stages = meter.create_histogram(
            "tekio.stage.duration",
            unit="s",
            description="time of the stages of questions",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            unit="{token}",
            description="tokens of the prompt and of the draft",
            explicit_bucket_boundaries_advisory=_TOKENS,
        )

    def watch_batches(self, state: Callable[[], SchedulerState | None]) -> None:
        """Count what the language model serves in batches, by a state that is read when somebody reads the figures."""
        if self._provider is None:
            return
        from opentelemetry.metrics import CallbackOptions, Observation

        meter = self._provider.get_meter(SCOPE, tekio_version())

        def reading(name: str) -> Callable[[CallbackOptions], Iterable[Observation]]:
            def read(_: CallbackOptions) -> Iterable[Observation]:
                found = state()
                return [] if found is None else [Observation(getattr(found, name))]

            return read

        for name, description in _COUNTED.items():
            meter.create_observable_counter(
                f"tekio.generation.{name}", callbacks=[reading(name)], description=description
            )
        for name, description in _NOW.items():
            meter.create_observable_gauge(
                f"tekio.generation.{name}", callbacks=[reading(name)], description=description
            )

    @property
    def is_on(self) -> bool:
        """Say whether anybody reads them."""
        return self._provider is not None

    def record(self, root: Step, answer: Answer | None) -> None:
        """Count a question that ended: with an answer, or without one by an error or because nobody listened."""
        if self._provider is None:
            return
        kept = str(root.notes.get("cache", "none"))
        if answer is None:
            labels = {"outcome": "cancelled" if root.error in _LEFT else "error", "cache": kept}
        else:
            labels = {
                "outcome": "refused" if answer.refused else "answered",
                "variant": answer.variant,
                "technique": answer.technique,
                "language": answer.language,
                "finish_reason": answer.finish_reason.value,
                "cache": kept,
            }
            for kind, count in (
                ("input", answer.usage.prompt_tokens),
                ("output", answer.usage.completion_tokens),
            ):
                if count:
                    self._tokens.record(count, {"gen_ai.token.type": kind, "variant": answer.variant})
        self._questions.add(1, labels)
        self._duration.record(root.seconds, {"outcome": labels["outcome"], "cache": kept})
        for step in root.within:
            self._stages.record(step.seconds, {"stage": step.name})

    def text(self) -> tuple[bytes, str]:
        """Return what Prometheus reads, and its media type."""
        from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

        return generate_latest(self._registry), CONTENT_TYPE_LATEST

    def close(self) -> None:
        """Send what is waiting."""
        if self._provider is not None:
            self._provider.shutdown()


_LEFT = ("GeneratorExit", "CancelledError")


def _otlp_reader() -> Any:
    check_otlp()
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    return PeriodicExportingMetricReader(OTLPMetricExporter(timeout=otlp_patience("METRICS")))


def _prometheus_reader() -> tuple[Any, Any]:
    try:
        from opentelemetry.exporter.prometheus import PrometheusMetricReader
        from prometheus_client import CollectorRegistry
    except ImportError as error:
        raise UsageError(PROMETHEUS_MISSING) from error
    registry = CollectorRegistry()
    return registry, PrometheusMetricReader(scope_info_enabled=False, registry=registry)
