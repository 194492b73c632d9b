"""The embedder that the settings name: found, not loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kernel.model_store import ModelStore, ResolvedModel
from kernel.settings import Settings
from retrieval.engines.catalog import find_engine
from retrieval.engines.cpu import vector_instructions
from retrieval.model_folder import pooling, prompts
from retrieval.passages import PassageIndex

if TYPE_CHECKING:
    from kernel.answering.claims.entailment import EntailmentReader
    from retrieval.cross_encoder import CrossEncoderReranker
    from retrieval.sentence_transformer import SentenceTransformerEmbedder

_PREFIXES = {"e5": ("query: ", "passage: ")}
_EXPORTS = "exports"


def find_embedder(
    settings: Settings, models: ModelStore, say: Callable[[str], None] = lambda text: None
) -> SentenceTransformerEmbedder:
    """Return the embedder of the settings, fetching its model if it is not there.

    Where the settings leave the engine open, it is one whose vectors go with those of the index. What the model's
    folder says is put before a query and a passage is; its name decides only where it says nothing.

    Raises:
        UsageError: there is no such engine, or its packages are not installed.
    """
    from retrieval.sentence_transformer import SentenceTransformerEmbedder

    model = resolve_embedder(settings, models)
    by_name = (pair for part, pair in _PREFIXES.items() if part in model.name.lower())
    query, passage = prompts(model.folder) or next(by_name, ("", ""))
    engine = find_engine(
        settings.embedder_engine,
        instructions=vector_instructions(),
        family=PassageIndex.engine_of(settings.place),
        plain=pooling(model.folder) is not None,
    )
    return SentenceTransformerEmbedder(
        model.folder,
        model=model.name,
        revision=model.revision,
        query_prefix=query,
        passage_prefix=passage,
        engine=engine,
        exports=settings.cache / _EXPORTS / f"{model.folder.name}-{model.revision[:16]}",
        threads=settings.threads,
        say=say,
    )


def resolve_embedder(settings: Settings, models: ModelStore) -> ResolvedModel:
    """Return the folder of the embedder of the settings, fetching its model if it is not there.

    One that was trained here is called by its plain name, however the settings name it, so that an index knows it.
    """
    source = embedder_source(settings)
    found = models.resolve(source)
    is_trained = Path(source).parent == settings.embedders.resolve()
    return replace(found, name=Path(source).name) if is_trained else found


def embedder_source(settings: Settings) -> str:
    """Return what the model store is to be asked for: the folder of an embedder that was trained here, or the name."""
    for path in (settings.embedders / settings.embedder, Path(settings.embedder).expanduser()):
        if path.resolve().parent == settings.embedders.resolve() and path.is_dir():
            return str(path.resolve())
    return settings.embedder


def find_reranker(settings: Settings, models: ModelStore) -> CrossEncoderReranker | None:
    """Return the reranker of the settings; None where they name none.

    Raises:
        UsageError: there is no such model, or it is no cross-encoder.
    """
    if not settings.reranker:
        return None
    from retrieval.cross_encoder import CrossEncoderReranker

    model = models.resolve(settings.reranker)
    return CrossEncoderReranker(model.folder, model=model.name)


def find_entailment(settings: Settings, models: ModelStore) -> EntailmentReader | None:
    """Return the entailment model of the settings; None where they name none.

    Raises:
        UsageError: there is no such model, or it is none of natural language inference.
    """
    if not settings.entailment:
        return None
    from kernel.answering.claims.entailment import EntailmentReader

    model = models.resolve(settings.entailment)
    return EntailmentReader(model.folder, model=model.name)


def embedder_at_node(settings: Settings) -> SentenceTransformerEmbedder:
    """Return the embedder at a node of a cluster, with the node's own model cache."""
    return find_embedder(settings, ModelStore(settings.cache, offline=settings.offline))
