"""An index in Qdrant: its documents, its rows and its settings are points of collections of one name.

Qdrant has no transactions. What is written is gathered, and sent at the end in an order that leaves nothing half:
first what is new, then what goes, then the settings. An error before that leaves everything as it was. A kill in the
middle of the sending leaves both the old and the new of a document, or rows without one; the next writer sees by a
mark that the last did not end, and takes the remains away.

It has no locks either: a writer notes itself among the settings and renews its note; another that finds a fresh
note is turned away.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from retrieval.errors import IndexBusyError, IndexDamagedError, IndexMissingError
from retrieval.stores.interface import IndexDatabase
from retrieval.stores.qdrant_collection import QdrantCollection
from retrieval.stores.qdrant_connection import QdrantAddress, QdrantConnection

if TYPE_CHECKING:
    from retrieval.stores.qdrant_documents import QdrantDocuments

LAYOUT = 2
"""1 did not have the tags of documents in a form that Qdrant can filter by."""
_FRESH_SECONDS = 60.0
"""How long a writer's note counts; it is renewed at each write."""
_SETTLE_SECONDS = 0.05
_SPACE = uuid.UUID("6f0c1a3e-0d2b-4b53-9c34-8a1a1df1a7c1")
_WRITER, _UNFINISHED = "writer", "unfinished"


class Pending:
    """What a write has gathered, in the order in which it is sent: rows, then documents, so that a document that is
    there has its rows; then what is taken away, then settings."""

    def __init__(self) -> None:
        self.adding: list[Callable[[], None]] = []
        self.documents: list[Callable[[], None]] = []
        self.removing: list[Callable[[], None]] = []
        self.meta: dict[str, str] = {}
        self.readers: dict[int, list[str]] = {}


class QdrantDatabase(IndexDatabase):
    """The collections of one name in a Qdrant."""

    def __init__(self, address: str, *, create: bool, lock_wait: float = 10.0) -> None:
        """Open the index at an address.

        Raises:
            IndexMissingError: there is none and `create` is false.
            IndexDamagedError: it was made by a newer Tekio.
            TekioError: the server cannot be reached.
        """
        self.address = QdrantAddress.parse(address)
        self.connection = QdrantConnection(self.address)
        self.models = self.connection.models
        self._lock_wait = lock_wait
        self._write_lock = threading.RLock()
        self._write_depth = 0
        self._local = threading.local()
        self._me = json.dumps({"process": os.getpid(), "host": socket.gethostname(), "id": uuid.uuid4().hex})
        self._noted = 0.0
        try:
            self._open(create)
        except BaseException:
            self.connection.close()
            raise

    def _open(self, create: bool) -> None:
        if not self.connection.call("collection_exists", self._meta):
            if not create:
                raise IndexMissingError(f"there is no index in {self.place} yet: run `ingest PATH` first")
            self.connection.call("create_collection", self._meta, vectors_config={})
            self.documents().create()
            self.set_meta("schema", str(LAYOUT))
        layout = self.get_meta("schema")
        if layout is not None and int(layout) > LAYOUT:
            raise IndexDamagedError(
                f"{self.place} has layout {layout}, this Tekio knows up to {LAYOUT}: update Tekio, or use another name"
            )
        if layout == "1":
            with self.writer():
                self.documents().add_tagged()
                self._put("schema", str(LAYOUT))

    @property
    def place(self) -> str:
        """Where it is, as people are told."""
        return self.address.shown

    @property
    def _meta(self) -> str:
        return f"{self.address.name}.meta"

    @property
    def pending(self) -> Pending | None:
        """What this thread's write has gathered; None outside of one."""
        return getattr(self._local, "pending", None)

    @contextmanager
    def read(self) -> Iterator[None]:
        """Read; the generation that is seen stays the same until the end."""
        if getattr(self._local, "seen", None) is not None:
            yield
            return
        self._local.seen = {}
        try:
            yield
        finally:
            self._local.seen = None

    @contextmanager
    def write(self) -> Iterator[Pending]:
        """Gather what is written, and send it at the end; nothing is sent after an error."""
        with self.writer():
            if self.pending is not None:
                yield self.pending
                return
            pending = self._local.pending = Pending()
            try:
                yield pending
            finally:
                self._local.pending = None
            self._send(pending)

    def _send(self, pending: Pending) -> None:
        self._note()
        calls = (*pending.adding, *pending.documents, *pending.removing)
        if calls:
            self._put(_UNFINISHED, "1")
        for call in calls:
            call()
        for key, value in pending.meta.items():
            self._put(key, value)
        if calls:
            self._put(_UNFINISHED, "")

    # -- the writer's note ----------------------------------------------------------------------------------

    @contextmanager
    def writer(self) -> Iterator[None]:
        """Be the writer over several writes.

        Raises:
            IndexBusyError: another process is.
        """
        with self._write_lock:
            if self._write_depth == 0:
                self._acquire()
            self._write_depth += 1
            try:
                yield
            finally:
                self._write_depth -= 1
                if self._write_depth == 0:
                    self._put(_WRITER, "")

    def _acquire(self) -> None:
        ends = time.monotonic() + self._lock_wait
        while True:
            holder = self._holder()
            if holder is None:
                self._noted = 0.0
                self._note()
                # Whoever noted itself last stays; the others see it.
                if not self.address.folder:
                    time.sleep(_SETTLE_SECONDS)
                holder = self._holder()
                if holder is None:
                    break
            if time.monotonic() > ends:
                raise IndexBusyError(
                    f"process {holder['process']} on {holder['host']} is writing to {self.place}: wait until it is "
                    "done, then try again"
                )
            time.sleep(0.1)
        if self._get(_UNFINISHED):
            self.documents().mend()
            self._put(_UNFINISHED, "")

    def _note(self) -> None:
        if time.monotonic() - self._noted > _FRESH_SECONDS / 4 or not self._noted:
            self._put(_WRITER, json.dumps(json.loads(self._me) | {"at": time.time()}))
            self._noted = time.monotonic()

    def _holder(self) -> dict[str, Any] | None:
        """Return who else is writing."""
        note = json.loads(self._get(_WRITER) or "{}")
        is_me = note.get("id") == json.loads(self._me)["id"]
        return None if not note or is_me or time.time() - note["at"] > _FRESH_SECONDS else dict(note)

    # -- settings -------------------------------------------------------------------------------------------

    def get_meta(self, key: str) -> str | None:
        """Return a setting of the index."""
        if self.pending is not None and key in self.pending.meta:
            return self.pending.meta[key]
        seen = getattr(self._local, "seen", None)
        if seen is None:
            return self._get(key)
        if key not in seen:
            seen[key] = self._get(key)
        return seen[key]  # type: ignore[no-any-return]

    def _get(self, key: str) -> str | None:
        points = self.connection.call("retrieve", self._meta, [_point(key)])
        return str(points[0].payload["value"]) if points else None

    def _put(self, key: str, value: str) -> None:
        point = self.models.PointStruct(id=_point(key), vector={}, payload={"key": key, "value": value})
        self.connection.upsert(self._meta, [point])

    def set_meta(self, key: str, value: str) -> None:
        """Store a setting of the index."""
        with self.write() as pending:
            pending.meta[key] = value

    def next_ids(self, counter: str, count: int) -> range:
        """Return ids that were never given before; call it in a write."""
        # At once and not at the end, so that an id that was given is never given again.
        last = int(self._get(counter) or 0)
        self._put(counter, str(last + count))
        return range(last + 1, last + count + 1)

    def collection_names(self) -> list[str]:
        """Name the collections of rows that were created."""
        found = self.connection.call("get_collections").collections
        start = f"{self.address.name}.rows."
        return sorted(item.name for item in found if item.name.startswith(start))

    def documents(self) -> QdrantDocuments:
        """Return the documents."""
        from retrieval.stores.qdrant_documents import QdrantDocuments

        return QdrantDocuments(self)

    def collection(
        self, name: str, *, dimension: int, fields: Sequence[str], indexed: Sequence[str] = ()
    ) -> QdrantCollection:
        """Return a collection; `indexed` are fields for which filters are made fast."""
        return QdrantCollection(self, name, dimension=dimension, fields=fields, indexed=indexed)

    def close(self) -> None:
        """Let go of the server."""
        self.connection.close()


def _point(key: str) -> str:
    return str(uuid.uuid5(_SPACE, key))
