"""The embedder of the settings, apart from any index."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from kernel.embedders import find_embedder
from kernel.model_store import ModelStore
from kernel.settings import Settings

if TYPE_CHECKING:
    from retrieval.sentence_transformer import SentenceTransformerEmbedder


def embedder_of(
    settings: Settings, say: Callable[[str], None] = lambda text: None
) -> SentenceTransformerEmbedder:
    """Return the embedder of the settings, in the engine that a new index would have.

    The index of the settings has no say in the engine, so that a figure does not hang on what lies in a folder.

    Raises:
        UsageError: there is no such engine, or its packages are not installed.
        TekioError: the model is not here and cannot be fetched.
    """
    models = ModelStore(settings.cache, offline=settings.offline, on_message=say)
    nowhere = settings.model_copy(update={"index": settings.cache / "none", "store": ""})
    return find_embedder(nowhere, models, say)
