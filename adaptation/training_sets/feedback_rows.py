"""Rows of what experts said of answers: approved and corrected ones to learn, and pairs of a better and a worse one.

Each is over the passages that the answer was made from, as they were kept with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from adaptation.training_sets.grounded import Asking
from adaptation.training_sets.rows import ChatRow, Message, PairRow
from retrieval.records import Passage

_MARKERS = re.compile(r"\[(\d{1,3})\]")


class Said(Protocol):
    """What somebody said of an answer: the stored answer's JSON in `data`, and what it approves and rejects."""

    @property
    def id(self) -> int: ...  # noqa: D102
    @property
    def user(self) -> str: ...  # noqa: D102
    @property
    def question(self) -> str: ...  # noqa: D102
    @property
    def data(self) -> Any: ...  # noqa: D102
    @property
    def approved(self) -> str: ...  # noqa: D102
    @property
    def rejected(self) -> str: ...  # noqa: D102


async def feedback_rows(
    said: Sequence[Said], asking: Asking, groups: dict[str, str], *, technique: str, sentences: int
) -> tuple[list[ChatRow], list[PairRow]]:
    """Return the approved answers as conversations, and approved ones with rejected ones as preferences.

    Args:
        said: of everybody, in its order; the last word on a question of a user counts.
        asking: shows prompts.
        groups: of documents by their names; what cites others is left out.
        technique: of the prompts.
        sentences: how many each prompt shows; 0 shows whole passages.
    """
    chats: dict[tuple[str, str], ChatRow] = {}
    rejected: list[tuple[Said, tuple[Message, ...], str]] = []
    for each in said:
        passages = _passages(each.data["answer"])
        known = [groups[passage.document] for passage in passages if passage.document in groups]
        if not passages or len(known) < len(passages):
            continue
        language = str(each.data["answer"].get("language") or "en")
        prompt = await asking.prompt(
            each.question, passages, language=language, technique=technique, sentences=sentences
        )
        messages = tuple(Message.model_validate(message) for message in prompt.messages)
        if each.approved:
            chats[each.user, each.question] = ChatRow(
                id=f"feedback:{each.id}",
                kind="approved",
                language=language,
                group=known[0],
                source="feedback",
                detail="corrected" if each.data.get("correction") else "approved",
                messages=(*messages, Message(role="assistant", content=_marked(each))),
            )
        if each.rejected:
            rejected.append((each, messages, known[0]))
    return list(chats.values()), list(_pairs(chats, rejected))


def _pairs(
    chats: dict[tuple[str, str], ChatRow], rejected: Iterable[tuple[Said, tuple[Message, ...], str]]
) -> Iterable[PairRow]:
    for each, prompt, group in rejected:
        better = chats.get((each.user, each.question))
        if better is None or better.answer.strip() == each.rejected.strip():
            continue
        yield PairRow(
            id=f"feedback:{each.id}",
            language=better.language,
            group=group,
            source="feedback",
            prompt=prompt,
            chosen=(better.messages[-1],),
            rejected=(Message(role="assistant", content=each.rejected),),
        )


def _marked(each: Said) -> str:
    """Return the approved answer; a correction without markers gets the one of what it corrects."""
    markers = list(dict.fromkeys(_MARKERS.findall(str(each.data["answer"]["answer"]))))
    said = each.approved.strip()
    if _MARKERS.search(said) or len(markers) != 1:
        return said
    from adaptation.training_sets.wording import cited

    return cited(said, int(markers[0]), str(each.data["answer"].get("language") or "en"))


def _passages(answer: Any) -> list[Passage]:
    """Return the passages of a stored answer as a search gives them."""
    return [
        Passage(
            id=int(each["id"]),
            document_id=0,
            document=str(each["document"]),
            path=str(each["document"]),
            title=str(each.get("title") or ""),
            page=each.get("page"),
            start=int(each.get("start") or 0),
            end=int(each.get("end") or len(str(each["text"]))),
            headings=tuple(each.get("headings") or ()),
            text=str(each["text"]),
            score=float(each.get("score") or 0.0),
            rank=rank,
            similarity=0.0,
        )
        for rank, each in enumerate(answer.get("passages") or [], start=1)
    ]
