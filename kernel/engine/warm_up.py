"""What a question to a variant needs, loaded beside each other before it is asked, or while it is searched for."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, wait

from kernel.answering.reading import SpanReader
from kernel.engine.variants import VariantRegistry
from kernel.loading import EMBEDDER, Loading
from retrieval.sentence_transformer import SentenceTransformerEmbedder


class WarmUp:
    """Loads the parts of an engine, each once.

    Args:
        loading: what is loaded and under way.
        embedder: needed by every question.
        spans: the reading model; None where there is none.
        variants: those who answer.
    """

    def __init__(
        self,
        loading: Loading,
        embedder: SentenceTransformerEmbedder,
        spans: SpanReader | None,
        variants: VariantRegistry,
    ) -> None:
        self._loading = loading
        self._embedder = embedder
        self._spans = spans
        self._variants = variants

    def begin(self, name: str) -> list[Future[None]]:
        """Begin to load what a question to a variant needs, side by side, where it is not loaded."""
        return [self._loading.begin(part, load) for part, load in self._parts_of(name).items()]

    def load(self, name: str) -> None:
        """Load what a question to a variant needs. Blocks.

        Raises:
            UsageError: there is no such variant.
            TekioError: a part cannot be loaded; the others are.
        """
        begun = self.begin(name)
        wait(begun)
        for part in begun:
            part.result()

    def not_loaded(self, name: str) -> list[str]:
        """Name what a question to a variant needs that is not loaded."""
        return [part for part in self._parts_of(name) if not self._loading.is_done(part)]

    def _parts_of(self, name: str) -> dict[str, Callable[[], object]]:
        """Return what a question to a variant needs, and how each part is loaded."""
        parts: dict[str, Callable[[], object]] = {EMBEDDER: self._embedder.warm_up}
        if self._spans is not None:
            parts["reading model"] = self._spans.warm_up
        parts[f"variant {name}"] = lambda: self._variants.load(name)
        return parts
