"""The collection of memories, opened: older layouts brought up to date, newer ones refused, nothing lost.

It has the name and the vectors of `memory_record_type` in `plugins/memory_plugin.py`, so that another Semantic Kernel
program can search it as a `FaissCollection`.
"""

from __future__ import annotations

import json

from plugins.memory.records import FIELDS, LAYOUT, from_layout_1
from retrieval.embedding import Embedder
from retrieval.errors import IndexDamagedError, TekioError, UsageError
from retrieval.stores.interface import Collection, IndexDatabase, Row, Vector
from retrieval.stores.opening import Place, open_database, shown

COLLECTION = "memory"
_LAYOUT, _SIGNATURE, _DIMENSION = (f"{name}:{COLLECTION}" for name in ("layout", "signature", "dimension"))


def open_memory(place: Place, embedder: Embedder) -> Collection:
    """Open the memories in a place, which is made where it is not there.

    Memories of another embedder are embedded anew, in one transaction; a place that has none refuses.

    Raises:
        IndexDamagedError: the place cannot be read, or is of a newer Tekio.
        TekioError: the memories are of a newer layout, or of another embedder and cannot be embedded anew.
    """
    try:
        database = open_database(place, create=True)
    except IndexDamagedError as error:
        raise IndexDamagedError(
            f"the memory in {shown(place)} is damaged or of a newer Tekio: get a newer Tekio, or move the folder away"
        ) from error
    try:
        return _prepared(database, embedder)
    except BaseException:
        database.close()
        raise


def _prepared(database: IndexDatabase, embedder: Embedder) -> Collection:
    layout, signature = database.get_meta(_LAYOUT), embedder.signature
    if layout is not None and int(layout) > LAYOUT:
        raise TekioError(
            f"the memory in {database.place} has layout {layout}, this Tekio knows up to {LAYOUT}: get a newer "
            "Tekio, or set another folder as `memory`"
        )
    held = int(database.get_meta(_DIMENSION) or signature.dimension)
    collection = database.collection(COLLECTION, dimension=held, fields=FIELDS)
    if collection.exists():
        if layout is None:
            _from_layout_1(collection)
        known = database.get_meta_json(_SIGNATURE)
        if known not in (None, signature.as_dict()):
            _embed_anew(collection, embedder, str(known.get("model")))
            collection = database.collection(COLLECTION, dimension=signature.dimension, fields=FIELDS)
    collection.ensure()
    for key, value in ((_LAYOUT, str(LAYOUT)), (_SIGNATURE, json.dumps(signature.as_dict()))):
        if database.get_meta(key) != value:
            database.set_meta(key, value)
    return collection


def _from_layout_1(collection: Collection) -> None:
    """Bring the rows of an older memory to the present layout, each with its id and its vector."""
    rows = []
    for hit in collection.select(vectors=True):
        if "kind" not in hit.data:  # where there are no transactions, a kill may have left some of each
            assert hit.vector is not None
            rows.append(Row(hit.key, from_layout_1(str(hit.key), hit.data), hit.vector))
    if rows:
        collection.upsert(rows)


def _embed_anew(collection: Collection, embedder: Embedder, model: str) -> None:
    hits = collection.select()
    texts = [hit.data["text"] for hit in hits]
    vectors = list(embedder.embed_passages(texts)) if hits else []
    try:
        with collection.changing():
            collection.redimension(embedder.signature.dimension)
            collection.revectorize([hit.id for hit in hits], [Vector(vector) for vector in vectors])
            collection.database.set_meta(_SIGNATURE, json.dumps(embedder.signature.as_dict()))
    except UsageError as error:
        raise TekioError(
            f"the memory in {collection.database.place} was made with the embedder '{model}' and cannot be embedded "
            "anew there: set the embedder back, or another place as `store`"
        ) from error
