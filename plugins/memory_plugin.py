"""Semantic memory as kernel functions: one user's, and no other's.

Whose memory it is, is bound when the plugin is made for a kernel. It is no argument of any function, so nothing that
a model writes into a call, or that stands in a question or a document, reaches another's.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Annotated, Any

from semantic_kernel.data.vector import VectorStoreField, vectorstoremodel
from semantic_kernel.functions.kernel_function_decorator import kernel_function

from plugins.memory.opening import COLLECTION
from plugins.memory.records import Source
from plugins.memory.store import MemoryStore, Recalled

PLUGIN_NAME = "memory"

# What a program says and a model must not choose.
Conversation = Annotated[str, "the conversation", {"include_in_function_choices": False}]
SavedBy = Annotated[str, "why it is saved", {"include_in_function_choices": False}]


def memory_record_type(dimension: int) -> type[Any]:
    """Return the record type by which a Semantic Kernel program reads the memories as a `FaissCollection`."""

    @dataclass
    class MemoryRecord:
        id: Annotated[str, VectorStoreField("key")]
        user: Annotated[str, VectorStoreField("data", is_indexed=True)]
        kind: Annotated[str, VectorStoreField("data")]
        text: Annotated[str, VectorStoreField("data", is_full_text_indexed=True)]
        answer: Annotated[str, VectorStoreField("data")]
        conversation: Annotated[str, VectorStoreField("data")]
        source: Annotated[str, VectorStoreField("data")]
        created: Annotated[str, VectorStoreField("data")]
        confirmed: Annotated[int, VectorStoreField("data")]
        confirmed_at: Annotated[str, VectorStoreField("data")]
        expires: Annotated[str, VectorStoreField("data")]
        cited: Annotated[str, VectorStoreField("data")]
        vector: Annotated[list[float] | str | None, VectorStoreField("vector", dimensions=dimension)] = field(
            default=None
        )

    return vectorstoremodel(MemoryRecord, collection_name=COLLECTION)


class MemoryPlugin:
    """Saves and recalls for one owner, see `plugins.memory.records.owner_of`; an empty one has no memory."""

    def __init__(self, store: MemoryStore, owner: str) -> None:
        self._store = store
        self._owner = owner

    @kernel_function(name="save", description="Remember a fact or a preference of the user.")
    async def save(
        self,
        text: Annotated[str, "what to remember, in a sentence"],
        conversation: Conversation = "",
        source: SavedBy = "request",
    ) -> str:
        """Save a text; return its id. The same text is saved once.

        Raises:
            UsageError: the text is empty or too long, or nobody is known whose memory it is.
        """
        saved_by: Source = "rule" if source == "rule" else "request"
        memory = await asyncio.to_thread(
            self._store.add, self._owner, text, conversation=conversation, source=saved_by
        )
        return memory.id

    @kernel_function(
        name="recall", description="Recall what the user asked to be remembered about something."
    )
    async def recall(
        self,
        query: Annotated[str, "what about"],
        top: Annotated[int, "how many memories, 1 to 50"] = 3,
        conversation: Conversation = "",
    ) -> list[Recalled]:
        """Return the memories that fit best, best first; see `MemoryStore.recall`.

        Raises:
            UsageError: the query is empty or too long, or `top` is out of range.
        """
        return await asyncio.to_thread(
            self._store.recall, self._owner, query, top=top, conversation=conversation
        )
