"""The documents of an index and their passages: what ingestion writes and what questions search."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.access import Access, Caller
from retrieval.embedding import EmbedderSignature, unit
from retrieval.errors import IndexSignatureError, TekioError, UsageError
from retrieval.filters import All, Filter
from retrieval.index_meta import IndexMeta
from retrieval.keyword_index import inverse_frequency
from retrieval.late_vectors import TokenCodec
from retrieval.leg_weights import WEIGHTS_KEY, EmbedQuery
from retrieval.passage_rows import (
    COLLECTION,
    FIELDS,
    INDEXED,
    read_passage,
    row_key,
    row_of,
    row_tokens,
    text_digest,
)
from retrieval.passage_search import PassageSearch
from retrieval.ranking import Mode, Query, Rerank
from retrieval.records import (
    Chunk,
    DocumentState,
    DocumentSummary,
    Passage,
    SourceDocument,
    Tags,
    merged_tags,
)
from retrieval.rights import readable_by
from retrieval.selection import AS_RANKED, Selection
from retrieval.stores.opening import Place, is_in, open_database

logger = logging.getLogger(__name__)

MAX_TOP_K = 1000


class PassageIndex:
    """Documents, chunks, vectors and keyword postings in one place; made by one embedder, which it names."""

    def __init__(self, place: Place, signature: EmbedderSignature | None, *, create: bool = False) -> None:
        """Open the index in a place; without a signature to look at it only, not to search or write.

        Raises:
            IndexMissingError: there is none and `create` is false.
            IndexSignatureError: it was made with another embedder.
            IndexDamagedError: it is half of a copy, or cannot be read.
        """
        self.place = place
        self.database = open_database(place, create=create)
        self._meta = IndexMeta(self.database)
        try:
            self._open(signature, create)
        except BaseException:
            self.database.close()
            raise

    def _open(self, signature: EmbedderSignature | None, create: bool) -> None:
        self._meta.check_whole()
        self._table = self.database.documents()
        older = False
        if signature is None:
            dimension = int(self.database.get_meta(f"dimension:{COLLECTION}") or 0)
        else:
            older = self._meta.check_signature(signature)
            dimension = signature.dimension
        self._signature = signature
        self.store = self.database.collection(COLLECTION, dimension=dimension, fields=FIELDS, indexed=INDEXED)
        if signature is not None:
            self.store.ensure()
        if older:
            self._renew_keywords(create)
        self._search = PassageSearch(self.store, self._table, self.codec())
        self._checked = self.store.generation

    @staticmethod
    def is_in(place: Place) -> bool:
        """Say whether there is an index in a place."""
        return is_in(place)

    @staticmethod
    def require(place: Place, *, create: bool) -> None:
        """Check cheaply, before a model is looked for, that there is an index or that one may be made.

        Raises:
            IndexMissingError: there is none and `create` is false.
        """
        if not create:
            open_database(place, create=False).close()

    @staticmethod
    def engine_of(place: Place) -> str | None:
        """Return the family of the vectors of the index in a place; None when there is none to read."""
        try:
            if not PassageIndex.is_in(place):
                return None
            database = open_database(place, create=False)
        except TekioError:  # whoever opens it is told
            return None
        try:
            return IndexMeta(database).engine()
        finally:
            database.close()

    def _check_unchanged(self) -> None:
        """Check that the index was not embedded anew by another model since it was opened."""
        generation = self.store.generation
        if self._signature is not None and generation != self._checked:
            self._meta.check_signature(self._signature)
            self._checked = generation

    def _renew_keywords(self, writable: bool) -> None:
        """Make the tokens of all passages anew, in one transaction; nothing is embedded.

        Raises:
            IndexSignatureError: the index was not opened to be written.
        """
        if not writable:
            raise IndexSignatureError(
                f"the keywords of the index in {self.database.place} were made by another version of Tekio: "
                "run `ingest` on its folder once, which makes them anew"
            )
        logger.warning("the keywords of the index in %s are made anew", self.database.place)
        with self.store.changing():
            self.store.retokenize(lambda data: row_tokens(data["title"], data["headings"], data["text"]))
            self._meta.keep_keyword_version()

    # -- writing: the store that ingestion works on -----------------------------------------------------

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the writer's lock, and leave derived files behind that are up to date."""
        with self.writing_alone():
            yield
            self.store.save_index()

    @contextmanager
    def writing_alone(self) -> Iterator[None]:
        """Hold the writer's lock, and leave derived files to whoever opens the index next.

        Raises:
            IndexSignatureError: the index was embedded anew by another embedder since it was opened.
        """
        with self.database.writer():
            self._check_unchanged()
            self._meta.ensure_identity()
            yield

    def replace_embedder(self, signature: EmbedderSignature, codec: TokenCodec | None) -> None:
        """Note by which embedder the vectors are from now on; for a transaction that replaces them all."""
        self._meta.replace_embedder(signature, codec)

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
            return row_tokens(title, data["headings"], data["text"])

        with self.store.changing():
            self._table.rename(document_id, path=path, name=name, title=title)
            self.store.rewrite(document_id, change)

    def tag(self, document_id: int, given_tags: Tags) -> None:
        """Replace the tags that a person gave a document."""
        with self.store.changing():
            tags = {key: list(values) for key, values in self._table.tag(document_id, given_tags).items()}
            self.store.rewrite(document_id, lambda data: data.update(tags=tags))

    def share(self, document_id: int, access: Access) -> None:
        """Set who may read a document; searches heed it from then on."""
        # A new generation, so that nobody keeps an older answer to who may read what.
        with self.store.changing():
            self._table.share(document_id, access)

    def codec(self) -> TokenCodec | None:
        """Return how token vectors are packed here; None where they are not kept, or not yet."""
        return self._meta.codec()

    def keep_tokens(self, codec: TokenCodec) -> TokenCodec:
        """Keep the vectors of tokens from now on; return how they are packed, which the first call decides."""
        held = self.codec()
        if held is None:
            self._meta.keep_codec(codec)
            self._search.unpack_by(codec)
        return held or codec

    def known_vectors(self, texts: Sequence[str]) -> dict[str, tuple[NDArray[np.float32], bytes | None]]:
        """Return the vectors of those texts that were embedded before for a passage that is here.

        Each comes with the packed vectors of its tokens. Where those are kept but the text's are not, the text
        counts as not embedded.
        """
        digests = {self._digest(text): text for text in texts}
        wanted = self.codec() is not None
        found = self.store.known(list(digests))
        return {digests[key]: held for key, held in found.items() if held[1] is not None or not wanted}

    def _digest(self, text: str) -> bytes:
        """Name an embedded text and the embedder; the index holds vectors of one embedder only."""
        return text_digest(self._signature, text)

    def replace(
        self,
        document: SourceDocument,
        chunks: Sequence[Chunk],
        vectors: NDArray[np.float32],
        texts: Sequence[str] = (),
        late: Sequence[bytes | None] = (),
    ) -> None:
        """Store a document with all its chunks in place of what was there, in one transaction.

        Args:
            document: the document as it was read.
            chunks: its chunks, in order; none is allowed.
            vectors: shape (len(chunks), dimension).
            texts: what was embedded for each chunk, by which `known_vectors` knows it again.
            late: the packed vectors of each one's tokens.
        """
        if len(vectors) != len(chunks) or (texts and len(texts) != len(chunks)):
            raise ValueError(f"{len(chunks)} chunks need as many vectors and texts, got {len(vectors)}")
        with self.store.changing():
            document_id = self._table.put(document, len(chunks))
            tags = merged_tags(document.tags, document.given_tags)
            rows = []
            for number, (chunk, vector) in enumerate(zip(chunks, vectors, strict=True)):
                digest = self._digest(texts[number]) if texts else None
                packed = late[number] if late else None
                rows.append(row_of(document, tags, document_id, number, chunk, vector, digest, packed))
            self.store.upsert(rows)

    def remove(self, path: str) -> None:
        """Delete a document with its chunks, vectors and postings, in one transaction."""
        with self.store.changing():
            self._table.remove(path)

    def learn_weights(
        self, embed_query: EmbedQuery, *, say: Callable[[str], None] = lambda text: None
    ) -> None:
        """Learn what each leg of the search is worth here, see `LegWeights.learn`."""
        self._search.weights.learn(self._search.ranker, embed_query, say=say)

    def version(self) -> tuple[int, str]:
        """Return what changes with all that a search depends on: the generation, and the weights that were learned."""
        return self.store.generation, self.database.get_meta(WEIGHTS_KEY) or ""

    def identity(self) -> str:
        """Return what tells this index from others in its place, before or after; empty for a copy not written to."""
        return self._meta.identity()

    def forget_weights(self) -> None:
        """Forget what was learned of the legs, so that it is learned anew."""
        self._search.weights.forget()

    def learned_weights(self) -> dict[str, Any]:
        """Return what was learned for each language: the weights, and how well each leg did alone."""
        return self._search.weights.learned()

    def keep_note(self, name: str, value: dict[str, Any] | None) -> None:
        """Keep a few plain values with the index under a name; None forgets them."""
        self._meta.keep_note(name, value)

    def note(self, name: str) -> dict[str, Any] | None:
        """Return what was kept with the index under a name."""
        return self._meta.note(name)

    # -- reading ----------------------------------------------------------------------------------------

    def search(
        self,
        query: str,
        vector: NDArray[np.float32],
        *,
        top_k: int,
        where: Filter | None = None,
        mode: Mode = "hybrid",
        tokens: NDArray[np.float32] | None = None,
        caller: Caller | None = None,
        selection: Selection = AS_RANKED,
        rerank: Rerank | None = None,
        parts: Sequence[Query] = (),
    ) -> list[Passage]:
        """Return the best passages for a query.

        Args:
            query: the words to search for.
            vector: the query's embedding, shape (dimension,).
            top_k: how many, 1 to 1,000.
            where: a filter over the passages' fields, applied before the search.
            mode: by meaning and by words, fused, or by one of them.
            tokens: the vectors of the query's tokens, shape (t, hidden), by which the best are ranked again.
            caller: finds what this caller may read; None is who owns the machine, and finds everything.
            selection: how passages are chosen from the ranking.
            rerank: orders the best anew by reading them with the query.
            parts: of the query, each searched for by itself too, see `fused_parts`.

        Raises:
            IndexSignatureError: it was embedded anew by another embedder since it was opened.
        """
        if not 1 <= top_k <= MAX_TOP_K:
            raise UsageError(f"top_k must be between 1 and {MAX_TOP_K}, not {top_k}")
        direction = unit(vector)
        readable = readable_by(caller)
        if readable is not None:
            where = readable if where is None else All((readable, where))

        with self.database.read():
            self._check_unchanged()
            return self._search.search(
                Query(query, direction, tokens),
                parts,
                top_k=top_k,
                where=where,
                mode=mode,
                selection=selection,
                rerank=rerank,
            )

    def passages_of(self, document: DocumentSummary, numbers: Sequence[int] | None = None) -> list[Passage]:
        """Return all passages of a document in their order, by which it can be read from its beginning to its end.

        With `numbers` those alone, counted from 0. Who may read it was decided by whoever listed it, see `documents`.
        """
        with self.database.read():
            wanted = range(document.chunks) if numbers is None else numbers
            hits = self.store.get([row_key(document.id, number) for number in wanted])
            starts = self._table.page_starts([document.id]).get(document.id, ())
        return [read_passage(hit, document.id, rank, starts) for rank, hit in enumerate(hits, start=1)]

    def readable(self, document_id: int, caller: Caller | None) -> bool:
        """Tell whether somebody may read a document; None is who owns the machine, and reads everything."""
        return caller is None or self._table.readable(document_id, caller)

    def whole(self, document_id: int) -> tuple[SourceDocument, str]:
        """Return a document with its text, and when it was ingested. Who may read it is for the caller to ask.

        Raises:
            KeyError: there is none.
        """
        return self._table.whole(document_id)

    def inverse_frequencies(self, tokens: Sequence[str]) -> dict[str, float]:
        """Return each token's inverse document frequency, ln(1 + (N - n + 0.5) / (n + 0.5)), as in BM25."""
        total = self.store.count()
        counts = self.store.document_frequencies(tokens)
        return {token: inverse_frequency(total, n) for token, n in counts.items()}

    def quote(self, passage_id: int, start: int, end: int, *, caller: Caller | None = None) -> str | None:
        """Return a span of the document that a passage is of; None when it is gone, or not the caller's to read."""
        with self.database.read():
            hit = self.store.rows([passage_id]).get(passage_id)
            if hit is None:
                return None
            document_id = hit.data["document_id"]
            if caller is not None and not self._table.readable(document_id, caller):
                return None
            text = self._table.text(document_id)
        return None if text is None else text[start:end]

    def excerpt(self, document_id: int, start: int, end: int) -> str:
        """Return a span of a document's text, whoever may read it."""
        return self._table.excerpts([(document_id, start, end)])[document_id, start, end]

    def contents(self, names: Sequence[str], *, caller: Caller | None = None) -> dict[str, frozenset[str]]:
        """Return the hashes of what documents hold, by name; only of those that the caller may read."""
        return self._table.contents(names, caller)

    def documents(self, *, caller: Caller | None = None) -> list[DocumentSummary]:
        """List the documents by name; for a caller those that the caller may read."""
        return self._table.summaries(caller)

    def close(self) -> None:
        """Close the database."""
        self.database.close()
