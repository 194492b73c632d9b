"""Semantic memory: what a user asked to be remembered, found again by meaning.

A second collection beside the passages, and never mixed between users: the user is a filter that is applied
before the search.
"""

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any

from semantic_kernel.data.vector import VectorStoreField, vectorstoremodel
from semantic_kernel.functions.kernel_function_decorator import kernel_function

from retrieval.errors import UsageError
from retrieval.faiss_collection import FaissCollection
from retrieval.filters import Where

PLUGIN_NAME = "memory"
COLLECTION = "memory"
MAX_TEXT = 4000
MAX_TOP = 50

# Whose memory it is comes from the program: a model that calls a function must not choose it.
User = Annotated[str, "whose memory", {"include_in_function_choices": False}]


def memory_record_type(dimension: int) -> type[Any]:
    """Return the record type of a memory for embeddings of a dimension."""

    @dataclass
    class MemoryRecord:
        id: Annotated[str, VectorStoreField("key")]
        user: Annotated[str, VectorStoreField("data", is_indexed=True)]
        text: Annotated[str, VectorStoreField("data", is_full_text_indexed=True)]
        saved_at: Annotated[str, VectorStoreField("data")]
        vector: Annotated[list[float] | str | None, VectorStoreField("vector", dimensions=dimension)] = field(
            default=None
        )

    return vectorstoremodel(MemoryRecord, collection_name=COLLECTION)


@dataclass(frozen=True, slots=True)
class Memory:
    """Something remembered. `similarity` is the cosine to the query."""

    id: str
    text: str
    saved_at: str
    similarity: float


class MemoryPlugin:
    """Saves and recalls over a collection made with `memory_record_type`."""

    def __init__(self, collection: FaissCollection[str, Any]) -> None:
        self._collection = collection

    @kernel_function(name="save", description="Remember a fact or a preference of the user.")
    async def save(
        self,
        text: Annotated[str, "what to remember, in a sentence"],
        user: User = "default",
    ) -> str:
        """Save a text; return its id. The same text of the same user is saved once.

        Raises:
            UsageError: the text is empty or too long, or the user has no name.
        """
        user, text = _check_user(user), _encodable(text).strip()
        if not text or len(text) > MAX_TEXT:
            raise UsageError(f"a memory is a text of 1 to {MAX_TEXT:,} characters, not {len(text):,}")
        await self._collection.ensure_collection_exists()
        key = str(uuid.uuid5(uuid.uuid5(uuid.NAMESPACE_OID, user), text))
        record = self._collection.record_type(
            id=key,
            user=user,
            text=text,
            saved_at=datetime.now(UTC).isoformat(timespec="seconds"),
            vector=text,
        )
        await self._collection.upsert(record)
        return key

    @kernel_function(
        name="recall", description="Recall what the user asked to be remembered about something."
    )
    async def recall(
        self,
        query: Annotated[str, "what about"],
        top: Annotated[int, "how many memories, 1 to 50"] = 3,
        user: User = "default",
    ) -> list[Memory]:
        """Return a user's memories that are nearest in meaning, best first.

        Raises:
            UsageError: the query is empty or too long, `top` is out of range, or the user has no name.
        """
        user, query = _check_user(user), _encodable(query).strip()
        if not query or len(query) > MAX_TEXT:
            raise UsageError(f"say what to recall in 1 to {MAX_TEXT:,} characters, not {len(query):,}")
        if not 1 <= top <= MAX_TOP:
            raise UsageError(f"top must be between 1 and {MAX_TOP}, not {top}")
        await self._collection.ensure_collection_exists()
        found = await self._collection.search(query, top=top, filter=Where("user", "==", user))
        return [
            Memory(item.record.id, item.record.text, item.record.saved_at, item.score or 0.0)
            async for item in found.results
        ]


def _check_user(user: str) -> str:
    user = _encodable(user)
    if not user.strip():
        raise UsageError("whose memory it is must be named")
    return user


def _encodable(text: str) -> str:
    """Replace lone surrogates, which no database takes, by U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
