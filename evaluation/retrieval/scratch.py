"""An index of a set's documents, made once and kept in the cache, so that a second measurement takes seconds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from evaluation.retrieval.beir import Beir, BeirDocument
from ingest.assemble import assemble
from ingest.blocks import Block, BlockKind
from ingest.chunking import chunk_document
from ingest.context import embedding_texts
from ingest.embed import CachedEmbedding, passage_embedding
from ingest.language import text_language
from ingest.strategies import Chunking
from retrieval.passages import PassageIndex
from retrieval.question_parts import question_parts
from retrieval.ranking import Mode, Query
from retrieval.records import Chunk, SourceDocument
from retrieval.sentence_transformer import SentenceTransformerEmbedder
from retrieval.token_counter import TokenCounter, encodable

_RESERVED_TOKENS = 12
_DOCUMENTS = 128
"""Documents that are embedded together."""
_PREFIX = "beir:"
_VERSION = 1


@dataclass(frozen=True)
class ScratchIndex:
    """An index of a set, and the embedder that made it."""

    index: PassageIndex
    embedder: SentenceTransformerEmbedder

    def search(self, query: str, *, top_k: int, mode: Mode, parts: bool = False) -> list[tuple[str, float]]:
        """Return (document, score) pairs, best first, each document by its best passage.

        With `parts` the parts of the query that rules find are searched for as well.
        """
        texts = question_parts(query) if parts else ()
        vector, tokens = self.embedder.embed_query(query)
        each = [Query(text, *made) for text, made in zip(texts, self.embedder.embed_each(texts), strict=True)]
        passages = self.index.search(query, vector, top_k=2 * top_k, mode=mode, tokens=tokens, parts=each)
        best: dict[str, float] = {}
        for passage in passages:
            best.setdefault(passage.document, passage.score)
        return list(best.items())[:top_k]


def scratch_index(
    found: Beir,
    embedder: SentenceTransformerEmbedder,
    folder: Path,
    *,
    token_vectors: bool = True,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> ScratchIndex:
    """Return the index of a set's documents, each a passage where the embedder takes it whole.

    Args:
        found: the set.
        embedder: makes the vectors.
        folder: under which the indexes are kept, one for each set, embedder and way of cutting.
        token_vectors: whether those of the tokens are kept too.
        on_progress: is told how many documents of how many are in the index.
    """
    chunking = Chunking(max_tokens=embedder.max_tokens - _RESERVED_TOKENS)
    parts = [_VERSION, embedder.signature.as_dict(), chunking.as_dict(), token_vectors]
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode())
    for document in found.documents:
        digest.update(json.dumps([document.id, document.title, document.text]).encode())
    index = PassageIndex(folder / f"{found.name}-{digest.hexdigest()[:16]}", embedder.signature, create=True)
    with index.writing():
        codec = (index.codec() or index.keep_tokens(embedder.token_codec())) if token_vectors else None
        embed = CachedEmbedding(
            passage_embedding(embedder, codec), index.known_vectors, embedder.signature.dimension
        )
        count = TokenCounter(embedder.folder / "tokenizer.json")
        done = {state.name for state in index.states().values()}
        waiting = [document for document in found.documents if document.id not in done]
        for start in range(0, len(waiting), _DOCUMENTS):
            batch = [_prepared(document, count, chunking) for document in waiting[start : start + _DOCUMENTS]]
            vectors = embed([text for _, _, texts in batch for text in texts])
            row = 0
            for source, chunks, texts in batch:
                own = vectors.part(row, row + len(chunks))
                index.replace(source, chunks, own.vectors, texts, own.late)
                row += len(chunks)
            on_progress(len(done) + start + len(batch), len(found.documents))
        index.learn_weights(embedder.embed_query)
    return ScratchIndex(index, embedder)


def _prepared(
    document: BeirDocument, count: TokenCounter, chunking: Chunking
) -> tuple[SourceDocument, list[Chunk], list[str]]:
    title, text = encodable(document.title), encodable(document.text)
    assembled = assemble([Block(text, BlockKind.PARAGRAPH)])
    chunks = chunk_document(assembled, count, chunking=chunking, title=title)
    texts = embedding_texts(chunks, title, count, chunking.max_tokens)
    source = SourceDocument(
        path=_PREFIX + document.id,
        name=document.id,
        title=title,
        format="text",
        text=assembled.text,
        content_hash="",
        size=len(text),
        mtime_ns=0,
        language=text_language(assembled.text),
    )
    return source, chunks, texts
