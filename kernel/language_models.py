"""The language model of the settings, by the engines of this machine."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from kernel.answer_key import folder_digest
from kernel.chat.local_engines import LocalEngines
from kernel.chat.paged.gpu_memory import weights_mb
from kernel.chat.paged.serving import Serving
from kernel.embedders import embedder_source
from kernel.lab_models import model_source
from kernel.model_store import ModelStore
from kernel.reading_model import BASE as READER_BASE
from kernel.settings import Settings
from retrieval.engines.cpu import has_gpu

if TYPE_CHECKING:
    from kernel.chat.paged.scheduler import SchedulerState


class LanguageModels:
    """The base of the settings with what computes it, found when it is first needed."""

    def __init__(self, settings: Settings, models: ModelStore) -> None:
        self._settings, self._models = settings, models
        self._lock = threading.Lock()
        self._engines: LocalEngines | None = None

    def engines(self) -> LocalEngines:
        """Return the engines over the base; nothing is loaded by it, though the model may have to be fetched.

        Raises:
            TekioError: the model cannot be found.
        """
        with self._lock:
            if self._engines is None:
                settings = self._settings
                found = self._models.resolve(settings.generator)
                draft = self._models.resolve(settings.draft).folder if settings.draft else None
                serving = Serving(
                    precision=settings.precision,
                    threads=settings.threads,
                    slots=settings.slots,
                    queue=settings.queue,
                    cache_mb=settings.kv_cache_mb,
                    seconds=settings.answer_seconds,
                    guessed=settings.guessed_tokens,
                    draft=draft,
                    draft_precision="" if settings.draft_precision == "auto" else settings.draft_precision,
                    draft_words=settings.draft_words,
                    gpu_memory_share=settings.gpu_memory_share,
                    others_mb=weights_mb(self._others()) if has_gpu() else 0,
                )
                self._engines = LocalEngines(
                    found.name,
                    found.folder,
                    serving,
                    engine=settings.generator_engine,
                    dtype=settings.dtype,
                    threads=settings.threads,
                )
            return self._engines

    def apart(self, model: str, precision: str, draft: str = "") -> tuple[LocalEngines, str]:
        """Return engines of their own over a model, or over the base in another precision, with what changes with it.

        The caller closes them.

        Args:
            model: its name or folder; empty is the base.
            precision: of its weights; `auto` is that of the settings.
            draft: name or folder of a smaller model that guesses for it; empty: the settings' own for the base, none
                for another model.

        Raises:
            TekioError: the model cannot be found.
        """
        settings = self._settings
        guessing = draft or ("" if model else settings.draft)
        changed: dict[str, str | int] = {
            "generator": model_source(model or settings.generator, settings.models),
            "draft": model_source(guessing, settings.models),
        }
        if guessing != settings.draft:  # whose commonest words they are
            changed["draft_words"] = 0
        if precision != "auto":
            changed["precision"] = precision
        models = LanguageModels(settings.model_copy(update=changed), self._models)
        return models.engines(), models.revision(None)

    def revision(self, adapter: Path | None) -> str:
        """Return what changes with the weights of the base and of an adapter, and with how they are computed."""
        base = self._models.resolve(self._settings.generator).revision
        own = folder_digest(path for path in adapter.iterdir() if path.is_file()) if adapter else ""
        return f"{base}:{self.engines().revision(adapter)}:{own}"

    def load(self) -> None:
        """Load the base. Blocks."""
        self.engines().load()

    def check_room(self, model: str) -> None:
        """Check that a model can take another question, if it is the base.

        Raises:
            BusyError: too many wait for it.
        """
        if self._engines is not None and self._engines.name == model:
            self._engines.check_room()

    def state(self) -> SchedulerState | None:
        """Return what was served in batches; None where nothing is."""
        return None if self._engines is None else self._engines.state()

    def _others(self) -> list[Path]:
        """Return the folders of the other models that a GPU has to hold; one that is not here yet is not counted.

        The reading model takes as much as its base.
        """
        names = [embedder_source(self._settings), READER_BASE, self._settings.reranker]
        return [self._models.resolve(name).folder for name in names if name and self._models.is_present(name)]

    @property
    def is_found(self) -> bool:
        """Say whether anybody has asked for the base yet."""
        return self._engines is not None

    def close(self) -> None:
        """End what is under way."""
        if self._engines is not None:
            self._engines.close()
