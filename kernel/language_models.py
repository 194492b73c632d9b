"""The language model of the settings, by the engines of this machine."""

from __future__ import annotations

from pathlib import Path

from kernel.chat.local_engines import LocalEngines
from kernel.chat.paged.serving import Serving
from kernel.settings import Settings


def local_engines(name: str, folder: Path, settings: Settings, draft: Path | None = None) -> LocalEngines:
    """Return the engines over a model folder, as the settings say; nothing is loaded yet."""
    precision = settings.precision
    if precision == "auto":
        precision = "int8" if settings.dtype == "auto" else settings.dtype  # type: ignore[assignment]
    serving = Serving(
        precision=precision,
        threads=settings.threads,
        slots=settings.slots,
        queue=settings.queue,
        cache_mb=settings.kv_cache_mb,
        seconds=settings.answer_seconds,
        guessed=settings.guessed_tokens,
        draft=draft,
    )
    return LocalEngines(
        name,
        folder,
        serving,
        engine=settings.generator_engine,
        dtype=settings.dtype,
        threads=settings.threads,
    )
