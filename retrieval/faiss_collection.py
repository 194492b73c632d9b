"""A persistent FAISS collection for Semantic Kernel.

It replaces Semantic Kernel's own `FaissCollection`, which lives in memory only and returns deleted records,
and can be used by any Semantic Kernel program: records, vectors and words are kept in SQLite, the FAISS file
is derived from it (see `retrieval/database.py`, `retrieval/vector_index.py`).

`folder` may also be the address of a PostgreSQL or Qdrant, see `retrieval/stores`, which then search in its place.

Limits: one vector field a record type; cosine similarity or inner product of unit vectors, which is the same;
filters are the data of `retrieval/filters.py` or a developer's lambda, which is translated and never run.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic

import numpy as np
from pydantic import PrivateAttr
from semantic_kernel.data.vector import (
    DistanceFunction,
    GetFilteredRecordOptions,
    KernelSearchResults,
    SearchType,
    TKey,
    TModel,
    VectorSearch,
    VectorSearchOptions,
    VectorSearchResult,
    VectorStoreCollection,
)
from semantic_kernel.exceptions import VectorSearchOptionsException, VectorStoreInitializationException

from retrieval.embedding import EmbedderSignature
from retrieval.errors import IndexSignatureError, UsageError
from retrieval.filters import All, AnyOf, Filter, OneOf, Where, from_lambda
from retrieval.keyword_tokens import keyword_terms, keyword_tokens
from retrieval.stores.interface import Collection, Hit, Row
from retrieval.stores.opening import open_database

_SCORE = "__score__"
_DISTANCES = (DistanceFunction.DEFAULT, DistanceFunction.COSINE_SIMILARITY, DistanceFunction.DOT_PROD)


class FaissCollection(VectorStoreCollection[TKey, TModel], VectorSearch[TKey, TModel], Generic[TKey, TModel]):
    """Records of one type, found by vector, by words, or by both.

    Scores: the cosine similarity for `search`, a fused rank score for `hybrid_search`; higher is better.
    """

    supported_key_types: ClassVar[set[str] | None] = {"str", "int"}
    supported_vector_types: ClassVar[set[str] | None] = {"float", "ndarray", "list[float]"}
    supported_search_types: ClassVar[set[SearchType]] = {SearchType.VECTOR, SearchType.KEYWORD_HYBRID}

    folder: Path | str
    signature: EmbedderSignature | None = None
    _store: Collection | None = PrivateAttr(default=None)

    # -- life ---------------------------------------------------------------------------------------------

    def _validate_data_model(self) -> None:
        super()._validate_data_model()  # type: ignore[no-untyped-call]
        vectors = self.definition.vector_fields
        if len(vectors) != 1 or not vectors[0].dimensions:
            raise VectorStoreInitializationException(
                "a collection needs one vector field, with its dimensions"
            )
        if vectors[0].distance_function not in _DISTANCES:
            raise VectorStoreInitializationException(
                f"the distance '{vectors[0].distance_function}' is not supported: use cosine_similarity or dot_prod"
            )

    @property
    def store(self) -> Collection:
        """The rows behind the collection, opened when first asked for."""
        if self._store is None:
            self._store = open_database(self.folder, create=True).collection(
                self.collection_name,
                dimension=self.definition.vector_fields[0].dimensions or 0,
                fields=[item.storage_name or item.name for item in self.definition.data_fields],
            )
        return self._store

    async def ensure_collection_exists(self, **kwargs: Any) -> None:
        """Create the collection if it is not there.

        Raises:
            IndexSignatureError: it was made with another embedder than `signature`.
        """
        await asyncio.to_thread(self._ensure)

    def _ensure(self) -> None:
        self.store.ensure()
        if self.signature is None:
            return
        wanted, key = self.signature.as_dict(), f"signature:{self.collection_name}"
        held = self.store.database.get_meta_json(key)
        if held is None:
            self.store.database.set_meta(key, json.dumps(wanted))
        elif held != wanted:
            raise IndexSignatureError(
                f"the collection '{self.collection_name}' in {self.folder} was made with the embedder "
                f"{held.get('model')!r}: set the embedder back, or use another folder"
            )

    async def collection_exists(self, **kwargs: Any) -> bool:
        """Say whether the collection was created."""
        return await asyncio.to_thread(self.store.exists)

    async def ensure_collection_deleted(self, **kwargs: Any) -> None:
        """Delete the collection and everything in it."""
        await asyncio.to_thread(self.store.drop)

    async def __aexit__(self, exc_type: Any, exc_value: Any, traceback: Any) -> None:
        if self._store is not None:
            self._store.database.close()
            self._store = None

    # -- records ------------------------------------------------------------------------------------------

    async def _inner_upsert(self, records: Sequence[Any], **kwargs: Any) -> Sequence[TKey]:
        await asyncio.to_thread(self.store.upsert, [self._row(record) for record in records])
        return [record[self._key_field_storage_name] for record in records]

    def _row(self, record: dict[str, Any]) -> Row:
        data = dict(record)
        vector_field = self.definition.vector_fields[0]
        vector = data.pop(vector_field.storage_name or vector_field.name)
        key = data.pop(self._key_field_storage_name)
        words = [
            keyword_tokens(str(data[name]))
            for name in (item.storage_name or item.name for item in self._text_fields())
            if data.get(name)
        ]
        return Row(key, data, np.asarray(vector, np.float32), [token for tokens in words for token in tokens])

    def _text_fields(self) -> list[Any]:
        marked = [item for item in self.definition.data_fields if item.is_full_text_indexed]
        return marked or [item for item in self.definition.data_fields if item.type_ in ("str", None)]

    async def _inner_get(
        self,
        keys: Sequence[TKey] | None = None,
        options: GetFilteredRecordOptions | None = None,
        **kwargs: Any,
    ) -> Any:
        vectors = bool(kwargs.get("include_vectors"))
        if keys:
            return await asyncio.to_thread(self.store.get, list(keys), vectors=vectors)  # type: ignore[arg-type]
        options = options or GetFilteredRecordOptions()
        order = {self._storage_name(name): up for name, up in (options.order_by or {}).items()}
        return await asyncio.to_thread(
            lambda: self.store.select(order_by=order, skip=options.skip, top=options.top, vectors=vectors)
        )

    def _storage_name(self, name: str) -> str:
        for item in self.definition.data_fields:
            if item.name == name:
                return item.storage_name or item.name
        return "key" if name == self._key_field_name else name

    async def _inner_delete(self, keys: Sequence[TKey], **kwargs: Any) -> None:
        missing = await asyncio.to_thread(self.store.delete, list(keys))  # type: ignore[arg-type]
        if missing:
            raise KeyError(f"not in the collection: {', '.join(map(str, missing))}")

    def _serialize_dicts_to_store_models(
        self, records: Sequence[dict[str, Any]], **kwargs: Any
    ) -> Sequence[Any]:
        return list(records)

    def _deserialize_store_models_to_dicts(
        self, records: Sequence[Any], **kwargs: Any
    ) -> Sequence[dict[str, Any]]:
        return [self._as_dict(record) for record in records]

    def _as_dict(self, hit: Hit) -> dict[str, Any]:
        vector_field = self.definition.vector_fields[0]
        vector = None if hit.vector is None else hit.vector.tolist()
        return {
            self._key_field_storage_name: hit.key,
            **hit.data,
            vector_field.storage_name or vector_field.name: vector,
        }

    # -- search -------------------------------------------------------------------------------------------

    async def _inner_search(
        self,
        search_type: SearchType,
        options: VectorSearchOptions,
        values: Any | None = None,
        vector: Sequence[float | int] | None = None,
        **kwargs: Any,
    ) -> KernelSearchResults[VectorSearchResult[TModel]]:
        if vector is None:
            vector = await self._generate_vector_from_values(values, options)
        if vector is None:
            raise VectorSearchOptionsException("a search needs values or a vector")
        where = self._build_filter(options.filter)
        terms = keyword_terms(str(values or "")) if search_type == SearchType.KEYWORD_HYBRID else None
        query = np.asarray(vector, np.float32)

        def run() -> tuple[list[Hit], int | None]:
            with self.store.database.read():
                hits = self.store.search(
                    query,
                    top=options.top,
                    skip=options.skip,
                    terms=terms,
                    where=where,
                    vectors=options.include_vectors,
                )
                return hits, self.store.count(where) if options.include_total_count else None

        hits, total = await asyncio.to_thread(run)
        return KernelSearchResults(
            results=self._get_vector_search_results_from_results(hits, options), total_count=total
        )

    def _get_record_from_result(self, result: Any) -> Any:
        return result

    def _get_score_from_result(self, result: Any) -> float | None:
        return float(result.score)

    def _build_filter(self, search_filter: Any) -> Filter | None:
        if search_filter is None:
            return None
        given = search_filter if isinstance(search_filter, list) else [search_filter]
        filters = tuple(self._one_filter(item) for item in given)
        return filters[0] if len(filters) == 1 else All(filters)

    def _one_filter(self, item: Any) -> Filter:
        if isinstance(item, Where | OneOf | All | AnyOf):
            return item
        if isinstance(item, str):
            raise UsageError("a filter is data (retrieval.filters), not a string of code")
        return _parse_lambda(item)

    def _lambda_parser(self, node: ast.AST) -> Filter:
        return from_lambda(node)


def _parse_lambda(function: Callable[..., Any]) -> Filter:
    """Translate a lambda from its source text; a line with several of them cannot be told apart."""
    tree = ast.parse(_parsable(textwrap.dedent(inspect.getsource(function)).strip()))
    lambdas = [node for node in ast.walk(tree) if isinstance(node, ast.Lambda)]
    if len(lambdas) != 1:
        raise UsageError("write one lambda a line as a filter, or use retrieval.filters")
    return from_lambda(lambdas[0].body)


def _parsable(source: str) -> str:
    """Cut a source line down to the lambda in it, where the line alone is no statement."""
    start = source.find("lambda")
    for end in range(len(source), start, -1):
        try:
            ast.parse(source[start:end], mode="eval")
            return source[start:end]
        except SyntaxError:
            continue
    return source
