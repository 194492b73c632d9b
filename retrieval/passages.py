"""The documents of an index and their passages: what ingestion writes and what questions search."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.analysis import ANALYSIS_VERSION, content_tokens, search_tokens
from retrieval.collection_store import CollectionStore, Hit, Row
from retrieval.database import DATABASE_FILE, Database
from retrieval.documents import DocumentTable
from retrieval.embedding import EmbedderSignature, unit
from retrieval.errors import IndexSignatureError, TekioError, UsageError
from retrieval.filters import All, Filter, Where
from retrieval.fusion import convex_fusion
from retrieval.records import (
    Chunk,
    DocumentState,
    DocumentSummary,
    Passage,
    SourceDocument,
    Tags,
    context_of,
    merged_tags,
    page_at,
)

COLLECTION = "passages"
FIELDS = (
    "document_id",
    "document",
    "path",
    "title",
    "page",
    "start",
    "end",
    "language",
    "format",
    "text",
    "headings",
    "shown",
    "created",
    "modified",
    "tags",
)
MAX_TOP_K = 1000
KEYWORD_WEIGHT = 0.2
_LEG_DEPTH = 100
_BM25_K1 = 1.2  # as in FTS5


class PassageIndex:
    """Documents, chunks, vectors and keyword postings in one folder; made by one embedder, which it names."""

    def __init__(self, folder: Path, signature: EmbedderSignature | None, *, create: bool = False) -> None:
        """Open the index in a folder; without a signature to look at it only, not to search or write.

        Raises:
            IndexMissingError: there is none and `create` is false.
            IndexSignatureError: it was made with another embedder.
        """
        self.database = Database(folder, create=create)
        self._table = DocumentTable(self.database)
        if signature is None:
            dimension = int(self.database.get_meta(f"dimension:{COLLECTION}") or 0)
        else:
            self._check_signature(signature)
            dimension = signature.dimension
        self._signature_key = json.dumps(signature.as_dict() if signature else {}).encode()
        self.store = CollectionStore(self.database, COLLECTION, dimension=dimension, fields=FIELDS)
        if signature is not None:
            self.store.ensure()
        # The mean vector of each language, of one generation: a cache, replaced whole.
        self._means: tuple[int, dict[Any, NDArray[np.float32]]] | None = None

    @staticmethod
    def is_in(folder: Path) -> bool:
        """Say whether there is an index in a folder."""
        return (folder / DATABASE_FILE).is_file()

    @staticmethod
    def require(folder: Path, *, create: bool) -> None:
        """Check cheaply, before a model is looked for, that there is an index or that one may be made.

        Raises:
            IndexMissingError: there is none and `create` is false.
        """
        if not create:
            Database(folder, create=False).close()

    @staticmethod
    def engine_of(folder: Path) -> str | None:
        """Return the family of the vectors of the index in a folder; None when there is none to read."""
        if not PassageIndex.is_in(folder):
            return None
        try:
            database = Database(folder, create=False)
        except TekioError:  # whoever opens it is told
            return None
        try:
            held = database.get_meta_json("signature")
        finally:
            database.close()
        return str(held["engine"]) if isinstance(held, dict) and held.get("engine") else None

    def _check_signature(self, signature: EmbedderSignature) -> None:
        wanted = signature.as_dict() | {"analysis": ANALYSIS_VERSION}
        held = self.database.get_meta_json("signature")
        if held is None:
            self.database.set_meta("signature", json.dumps(wanted))
            return
        different = [key for key in wanted if held.get(key) != wanted[key]]
        if different:
            changes = ", ".join(f"{key} {held.get(key)!r} there, {wanted[key]!r} now" for key in different)
            raise IndexSignatureError(
                f"the index in {self.database.folder} was made with another embedder ({changes}): set the embedder "
                f"back to {held.get('model')!r}, or ingest into another --index folder"
            )

    # -- writing: the store that ingestion works on -----------------------------------------------------

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the writer's lock, and leave an up-to-date FAISS file behind when something was written."""
        with self.database.writer():
            before = self.store.generation
            yield
            if self.store.generation != before:
                self.store.save_index()

    def states(self) -> dict[str, DocumentState]:
        """Return what is known of each document, by its absolute path."""
        return self._table.states()

    def touch(self, document_id: int, *, size: int, mtime_ns: int) -> None:
        """Note that a file with the same content was written again."""
        self._table.touch(document_id, size=size, mtime_ns=mtime_ns)

    def move(self, document_id: int, *, path: str, name: str, title: str) -> None:
        """Note that a document's file has another path, name and perhaps title; nothing is embedded again.

        What keyword search finds it by follows the new title; the vectors keep the old one as their context.
        """

        def change(data: dict[str, Any]) -> list[str]:
            data.update(path=path, document=name, title=title)
            return _keyword_tokens(title, data["headings"], data["text"])

        with self.store.changing():
            self._table.rename(document_id, path=path, name=name, title=title)
            self.store.rewrite(document_id, change)

    def tag(self, document_id: int, given_tags: Tags) -> None:
        """Replace the tags that a person gave a document."""
        with self.store.changing():
            tags = {key: list(values) for key, values in self._table.tag(document_id, given_tags).items()}
            self.store.rewrite(document_id, lambda data: data.update(tags=tags))

    def known_vectors(self, texts: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Return the vectors of those texts that were embedded before for a passage that is here."""
        digests = {self._digest(text): text for text in texts}
        return {digests[key]: vector for key, vector in self.store.vectors_of(list(digests)).items()}

    def _digest(self, text: str) -> bytes:
        """Name an embedded text and the embedder; the index holds vectors of one embedder only."""
        return hashlib.sha256(self._signature_key + text.encode("utf-8", "surrogatepass")).digest()

    def replace(
        self,
        document: SourceDocument,
        chunks: Sequence[Chunk],
        vectors: NDArray[np.float32],
        texts: Sequence[str] = (),
    ) -> None:
        """Store a document with all its chunks in place of what was there, in one transaction.

        Args:
            document: the document as it was read.
            chunks: its chunks, in order; none is allowed.
            vectors: shape (len(chunks), dimension).
            texts: what was embedded for each chunk, by which `known_vectors` knows it again.
        """
        if len(vectors) != len(chunks) or (texts and len(texts) != len(chunks)):
            raise ValueError(f"{len(chunks)} chunks need as many vectors and texts, got {len(vectors)}")
        with self.store.changing():
            document_id = self._table.put(document, len(chunks))
            tags = merged_tags(document.tags, document.given_tags)
            rows = []
            for number, (chunk, vector) in enumerate(zip(chunks, vectors, strict=True)):
                digest = self._digest(texts[number]) if texts else None
                rows.append(self._row(document, tags, document_id, number, chunk, vector, digest))
            self.store.upsert(rows)

    @staticmethod
    def _row(
        document: SourceDocument,
        tags: Tags,
        document_id: int,
        number: int,
        chunk: Chunk,
        vector: NDArray[np.float32],
        digest: bytes | None,
    ) -> Row:
        data = {
            "document_id": document_id,
            "document": document.name,
            "path": document.path,
            "title": document.title,
            "page": chunk.page,
            "start": chunk.start,
            "end": chunk.end,
            "language": document.language,
            "format": document.format,
            "headings": list(chunk.headings),
            "text": chunk.text,
            "shown": chunk.shown,
            "created": document.created,
            "modified": document.modified,
            "tags": tags,
        }
        tokens = _keyword_tokens(document.title, chunk.headings, chunk.text)
        return Row(f"{document_id}:{number}", data, vector, tokens, document_id, digest)

    def remove(self, path: str) -> None:
        """Delete a document with its chunks, vectors and postings, in one transaction."""
        with self.store.changing():
            self._table.remove(path)

    # -- reading ----------------------------------------------------------------------------------------

    def search(
        self, query: str, vector: NDArray[np.float32], *, top_k: int, where: Filter | None = None
    ) -> list[Passage]:
        """Return the best passages for a query by dense and keyword search, fused.

        Args:
            query: the words to search for.
            vector: the query's embedding, shape (dimension,).
            top_k: how many, 1 to 1,000.
            where: a filter over the passages' fields, applied before the search.
        """
        if not 1 <= top_k <= MAX_TOP_K:
            raise UsageError(f"top_k must be between 1 and {MAX_TOP_K}, not {top_k}")
        direction = unit(vector)
        with self.database.read():
            ranked = self._rank(query, direction, max(_LEG_DEPTH, 2 * top_k), where)
            hits, spans = self._distinct(ranked, top_k)
            starts = self._table.page_starts({hit.data["document_id"] for hit in hits.values()})
            wider = self._table.excerpts(
                spans[row_id] for row_id, hit in hits.items() if hit.data.get("shown")
            )
        scores = dict(ranked)
        passages = []
        for rank, (row_id, hit) in enumerate(hits.items(), start=1):
            of_document, start, end = spans[row_id]
            text = wider.get(spans[row_id], hit.data["text"])
            passages.append(
                self._passage(hit, rank, scores[row_id], direction, starts[of_document], start, end, text)
            )
        return passages

    def _distinct(
        self, ranked: Sequence[tuple[int, float]], top_k: int
    ) -> tuple[dict[int, Hit], dict[int, tuple[int, int, int]]]:
        """Return the best rows that show different text, in order, and the span that each shows.

        Children of one parent, and sentences whose windows overlap, stand for the same text: the best shows it.
        """
        hits: dict[int, Hit] = {}
        spans: dict[int, tuple[int, int, int]] = {}
        for start in range(0, len(ranked), top_k):
            batch = [row_id for row_id, _ in ranked[start : start + top_k]]
            for row_id, hit in self.store.rows(batch).items():
                data = hit.data
                span = (data["document_id"], *(data.get("shown") or (data["start"], data["end"])))
                if data.get("shown") and any(_overlap(span, other) for other in spans.values()):
                    continue
                hits[row_id], spans[row_id] = hit, span
                if len(hits) == top_k:
                    return hits, spans
        return hits, spans

    def _rank(
        self, query: str, vector: NDArray[np.float32], depth: int, where: Filter | None
    ) -> list[tuple[int, float]]:
        """Return the fused ranking of the best of both legs.

        A multilingual embedder places the texts of one language together, so that a question finds those of its
        own language first, whatever they say. So each language is searched apart, and the similarity to the
        language's mean vector is taken off.
        Source: Libovicky, Rosa, Fraser: On the Language Neutrality of Pre-trained Multilingual Representations,
        Findings of EMNLP 2020.
        """
        tokens = content_tokens(query) or search_tokens(query)
        keyword = dict(self.store.keyword(tokens, top=depth, where=where))
        means = self._language_means()
        dense: dict[int, float] = {}
        for language, mean in means.items():
            of_language = Where("language", "==", language)
            both = of_language if where is None else All((of_language, where))
            base = float(vector @ mean)
            found = self.store.dense(vector, top=depth, where=both if len(means) > 1 else where)
            dense.update((row_id, similarity - base) for row_id, similarity in found)
        for row_id, hit in self.store.rows([row_id for row_id in keyword if row_id not in dense]).items():
            assert hit.vector is not None
            dense[row_id] = float(vector @ (hit.vector - means[hit.data["language"]]))
        ceiling = (_BM25_K1 + 1) * sum(self.inverse_frequencies(tokens).values())
        return convex_fusion(dense, keyword, ceiling=ceiling, weight=KEYWORD_WEIGHT)

    def _language_means(self) -> dict[Any, NDArray[np.float32]]:
        generation = self.store.generation
        if self._means is None or self._means[0] != generation:
            self._means = generation, self.store.groups("language")
        return self._means[1]

    @staticmethod
    def _passage(
        hit: Hit,
        rank: int,
        score: float,
        vector: NDArray[np.float32],
        page_starts: tuple[int, ...],
        start: int,
        end: int,
        text: str,
    ) -> Passage:
        data: dict[str, Any] = hit.data
        assert hit.vector is not None
        return Passage(
            id=hit.id,
            document_id=data["document_id"],
            document=data["document"],
            path=data["path"],
            title=data["title"],
            page=page_at(page_starts, start) if data.get("shown") else data["page"],
            start=start,
            end=end,
            headings=tuple(data["headings"]),
            text=text,
            score=score,
            rank=rank,
            similarity=float(hit.vector @ vector),
            page_starts=page_starts,
        )

    def inverse_frequencies(self, tokens: Sequence[str]) -> dict[str, float]:
        """Return each token's inverse document frequency, ln(1 + (N - n + 0.5) / (n + 0.5)), as in BM25."""
        total = self.store.count()
        counts = self.store.document_frequencies(tokens)
        return {token: math.log(1 + (total - n + 0.5) / (n + 0.5)) for token, n in counts.items()}

    def quote(self, passage_id: int, start: int, end: int) -> str | None:
        """Return a span of the document that a passage is of; None when the passage is gone."""
        with self.database.read():
            hit = self.store.rows([passage_id]).get(passage_id)
            text = None if hit is None else self._table.text(hit.data["document_id"])
        return None if text is None else text[start:end]

    def documents(self) -> list[DocumentSummary]:
        """List the documents by name."""
        return self._table.summaries()

    def close(self) -> None:
        """Close the database."""
        self.database.close()


def _keyword_tokens(title: str, headings: Sequence[str], text: str) -> list[str]:
    return search_tokens(f"{context_of(title, headings)}\n{text}")


def _overlap(span: tuple[int, int, int], other: tuple[int, int, int]) -> bool:
    return span[0] == other[0] and span[1] < other[2] and other[1] < span[2]
