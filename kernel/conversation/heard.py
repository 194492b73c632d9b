"""A question as it was understood, and what is remembered of it as an answer and a prompt show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from kernel.answer import AnswerConversation, AnswerMemory
from kernel.answering.texts import say
from plugins.memory.store import Recalled


@dataclass(slots=True)
class Heard:
    """A question as it was understood."""

    question: str
    memories: list[Recalled] = field(default_factory=list)
    offered: frozenset[str] = frozenset()
    conversation: AnswerConversation | None = None
    notices: list[str] = field(default_factory=list)
    block: str = ""
    """The memories as the prompt shows them; empty where it shows none."""

    def shown(self) -> list[AnswerMemory]:
        """Return the memories as an answer tells them."""
        return [
            AnswerMemory(
                id=item.memory.id,
                kind=item.memory.kind,
                text=item.memory.text,
                answer=item.memory.answer,
                created=item.memory.created,
                confirmed_at=item.memory.confirmed_at,
                score=item.score,
                similarity=item.similarity,
                in_prompt=bool(self.block),
                offered=item.memory.id in self.offered,
            )
            for item in self.memories
        ]


def render_memories(memories: Sequence[Recalled], language: str) -> str:
    """Return memories as the prompt shows them below the passages: data, with no number that could be cited."""
    if not memories:
        return ""
    lines = []
    for item in memories:
        memory = item.memory
        text = " ".join(memory.text.split())
        if memory.kind == "answer":
            said = " ".join(memory.answer.split())
            text = f"{text} → {said}"
        lines.append(f"- {text}")
    return f"\n\n{say('memory_head', language)}\n" + "\n".join(lines)
