"""What the command line and the API show of memories and of feedback: the fields of their JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, Field

from kernel.memories import Memories
from plugins.memory.feedback import Feedback
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


class FeedbackView(BaseModel):
    """What somebody said of an answer."""

    id: int
    user: str = Field(
        description="who said it; empty for who owns the machine, and for a key for a part of the documents"
    )
    at: str = Field(description="when, ISO 8601")
    rating: Literal["up", "down"]
    question: str
    answer: str = Field(description="the text that was rated")
    variant: str = Field(description="who gave the answer")
    correction: str = Field(description="the right answer; empty where none was given")
    comment: str
    conversation: str
    cited: list[str] = Field(description="names of the documents that the answer cites")


class FeedbackList(BaseModel):
    """What was said of answers, the newest first."""

    feedback: list[FeedbackView]
    total: int = Field(description="how much there is in all")


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


def view_feedback(row: Feedback) -> FeedbackView:
    """Take over what somebody said of an answer."""
    answer = row.data["answer"]
    return FeedbackView(
        id=row.id,
        user=row.user.removeprefix("user:") if row.user.startswith("user:") else "",
        at=row.at,
        rating=row.rating,
        question=row.question,
        answer=str(answer["answer"]),
        variant=str(answer.get("variant") or ""),
        correction=str(row.data.get("correction") or ""),
        comment=str(row.data.get("comment") or ""),
        conversation=str(row.data.get("conversation") or ""),
        cited=list(dict.fromkeys(str(each["document"]) for each in answer.get("citations") or ())),
    )
