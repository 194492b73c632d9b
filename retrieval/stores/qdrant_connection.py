"""The address of an index in Qdrant, and calls to it through Qdrant's own client.

`qdrant://host:6333/name` and `qdrant+https://host/name` are servers; the key of one is taken from the variable
QDRANT_API_KEY. `qdrant+file:///a/folder/name` is the client's local mode, for trials: one process, no server.
`name` begins the names of the collections, so that a server can hold several indexes.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from retrieval.errors import TekioError, UsageError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,60}")
_TIMEOUT_SECONDS = 60
_PAGE = 1000
"""Points that are fetched at a time."""
_SENT = 256
"""Points that are sent at a time."""


@dataclass(frozen=True, slots=True)
class QdrantAddress:
    """Where a server listens, or the folder of the local mode; and with what its collections' names begin."""

    url: str
    folder: str
    name: str

    @staticmethod
    def parse(text: str) -> QdrantAddress:
        """Read an address.

        Raises:
            UsageError: it is none.
        """
        kind = text.partition("://")[0]
        try:
            parts = urlsplit(text)
            port = parts.port or 6333
        except ValueError as error:
            raise UsageError("the address of the Qdrant is wrong: write qdrant://host:6333/name") from error
        if parts.username or parts.password:
            raise UsageError(
                "the key of a Qdrant belongs into the variable QDRANT_API_KEY, not into its address"
            )
        before, _, name = parts.path.rpartition("/")
        if not _NAME.fullmatch(name) or (kind != "qdrant+file" and (before or not parts.hostname)):
            raise UsageError(
                "the address of the Qdrant is wrong: write qdrant://host:6333/name or qdrant+file:///folder/name, "
                "the name of letters, digits, _ and -"
            )
        if kind == "qdrant+file":
            return QdrantAddress("", f"{parts.netloc}{before}" or "/", name)
        scheme = "https" if kind == "qdrant+https" else "http"
        return QdrantAddress(f"{scheme}://{parts.hostname}:{port}", "", name)

    @property
    def shown(self) -> str:
        """The address as people are told it."""
        if self.folder:
            return f"qdrant+file://{self.folder}/{self.name}"
        return f"qdrant{'+https' if self.url.startswith('https') else ''}://{self.url.split('://')[1]}/{self.name}"


class QdrantConnection:
    """Calls of Qdrant's client, with one line for what goes wrong."""

    # The local mode lets a folder be opened once in a process: a cache of who has it, by folder, with their number.
    _local: dict[str, tuple[Any, int]] = {}  # noqa: RUF012
    _local_lock = threading.RLock()

    def __init__(self, address: QdrantAddress) -> None:
        """Connect.

        Raises:
            UsageError: qdrant-client is not installed.
            TekioError: the server cannot be reached.
        """
        try:
            import qdrant_client
        except ImportError as error:
            raise UsageError("Qdrant needs the package qdrant-client: pip install 'tekio[qdrant]'") from error
        self.models = qdrant_client.models
        self.address = address
        self._closed = False
        if address.folder:
            self._client = self._opened(qdrant_client.QdrantClient)
        else:
            key = os.environ.get("QDRANT_API_KEY")
            self._client = qdrant_client.QdrantClient(
                url=address.url, api_key=key, timeout=_TIMEOUT_SECONDS, check_compatibility=False
            )

    def _opened(self, make: Any) -> Any:
        folder = self.address.folder
        with self._local_lock:
            client, users = self._local.get(folder, (None, 0))
            if client is None:
                try:
                    client = make(path=folder, force_disable_check_same_thread=True)
                except RuntimeError as error:
                    raise TekioError(
                        f"another process has {self.address.shown} open: wait until it is done, or run a Qdrant server"
                    ) from error
                except OSError as error:
                    raise TekioError(
                        f"cannot open {self.address.shown}: {error.strerror or error}"
                    ) from error
            self._local[folder] = client, users + 1
        return client

    def call(self, method: str, *arguments: Any, **named: Any) -> Any:
        """Call a method of the client.

        Raises:
            TekioError: the server refused, or was not reached.
        """
        from qdrant_client.http.exceptions import ApiException

        function = getattr(self._client, method)
        try:
            if not self.address.folder:
                return function(*arguments, **named)
            with self._local_lock:  # which is not made for threads
                return function(*arguments, **named)
        except (ApiException, ValueError, OSError) as error:
            reason = " ".join(str(error).split())[:300]
            raise TekioError(f"{self.address.shown} does not answer as it should: {reason}") from error

    def scroll(
        self, collection: str, condition: Any = None, *, payload: Any = True, vectors: Any = False
    ) -> list[Any]:
        """Return all points that a condition holds for, by id."""
        found: list[Any] = []
        offset: Any = None
        while True:
            page, offset = self.call(
                "scroll",
                collection,
                scroll_filter=condition,
                limit=_PAGE,
                offset=offset,
                with_payload=payload,
                with_vectors=vectors,
            )
            found += page
            if offset is None:
                return found

    def upsert(self, collection: str, points: Sequence[Any]) -> None:
        """Store points in place of those of the same ids."""
        for start in range(0, len(points), _SENT):
            self.call("upsert", collection, list(points[start : start + _SENT]), wait=True)

    def close(self) -> None:
        """Let go of the server or the folder."""
        if self._closed:
            return
        self._closed = True
        if not self.address.folder:
            self._client.close()
            return
        with self._local_lock:
            client, users = self._local.pop(self.address.folder)
            if users > 1:
                self._local[self.address.folder] = client, users - 1
            else:
                client.close()
