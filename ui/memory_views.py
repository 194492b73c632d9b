"""What the command line and the API show of memories and of feedback: the fields of their JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, Field

from kernel.memories import Memories
from plugins.memory.records import Memory
from retrieval.access import Caller


class CitedView(BaseModel):
    """A place that a remembered answer cites."""

    document: str
    page: int | None
    quote: str


class MemoryView(BaseModel):
    """Something remembered for the user who asks."""

    id: str
    kind: str = Field(description="`fact`, or `answer`: a question with its answer")
    text: str = Field(description="the fact, or the question")
    answer: str
    conversation: str = Field(description="the one that it is kept for; empty: everywhere")
    source: str = Field(description="`request`, `rule` (remember that …) or `thumbs_up`")
    created: str
    confirmed: int = Field(description="how often the user said that it is right")
    confirmed_at: str
    expires: str = Field(description="empty: never")
    cited: list[CitedView]
    stale: bool = Field(
        description="true when a document that it cites has changed or is gone: it is not used"
    )


def view_memories(memories: Memories, rows: Sequence[Memory], caller: Caller | None) -> list[MemoryView]:
    """Take over memories of a caller."""
    stale = memories.stale(rows, caller=caller)
    return [
        MemoryView(
            id=row.id,
            kind=row.kind,
            text=row.text,
            answer=row.answer,
            conversation=row.conversation,
            source=row.source,
            created=row.created,
            confirmed=row.confirmed,
            confirmed_at=row.confirmed_at,
            expires=row.expires,
            cited=[CitedView(document=each.document, page=each.page, quote=each.quote) for each in row.cited],
            stale=row.id in stale,
        )
        for row in rows
    ]


def memory_rows(views: Sequence[MemoryView]) -> list[dict[str, Any]]:
    """Return memories as JSON."""
    return [view.model_dump() for view in views]
