"""The stage that finds the parts of a question: by rules, or by the language model, whose output is checked."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Literal, get_args

from retrieval.analysis import content_tokens, detect_language
from retrieval.errors import UsageError
from retrieval.queries import MAX_PARTS
from retrieval.question_parts import asks, question_parts

MultiQuery = Literal["off", "rules", "model"]
WAYS: tuple[str, ...] = get_args(MultiQuery)
WriteParts = Callable[[str], Awaitable[str]]
"""Gives what a language model writes as the parts of a question, one a line."""

_LONGEST = 2
"""Times as long as the question as a part may be."""
_SHARED = 0.5
"""The share of a part's words that the question must have; of other wordings half are other words."""
_LABEL = re.compile(
    r"^(?:[-*•・●○]|\(?[0-9０-９]{1,2}[.)）．、:：]|[①-⑳]|(?:sub-?)?question\s*\d*\s*[:：]|質問\s*[0-9０-９]*\s*[:：]|Q\d*\s*[:：])\s*",
    re.IGNORECASE,
)


def check_multi_query(way: str) -> MultiQuery:
    """Return the way in which parts are found.

    Raises:
        UsageError: there is none of this name.
    """
    if way not in WAYS:
        raise UsageError(f"multi_query can be {', '.join(WAYS)}, not '{way}'")
    return way  # type: ignore[return-value]


async def find_parts(question: str, way: MultiQuery, write: WriteParts | None = None) -> tuple[str, ...]:
    """Return the parts of a question to search for beside the whole, at most four; none for a question of one.

    Args:
        question: what is asked.
        way: `off` finds none; `model` asks the language model, and goes by rules where it writes nothing of use.
        write: the language model; None where there is none that speaks the question's language.
    """
    if way == "off":
        return ()
    if way == "model" and write is not None:
        written = checked_parts(await write(question), question)
        if written:
            return written
    return await asyncio.to_thread(question_parts, question)


def checked_parts(written: str, question: str) -> tuple[str, ...]:
    """Return the lines that a model wrote which are parts or other wordings of a question.

    A line is left out when it is empty, holds the whole question, is much longer than it, of another language, an
    answer rather than a question, or about something else: it has a figure that the question lacks, or less than
    half of its words stand in the question.
    """
    language, words, asked = detect_language(question), set(content_tokens(question)), asks(question)
    found: dict[str, str] = {}
    for line in written.splitlines():
        part = line.strip()
        while label := _LABEL.match(part):
            part = part[label.end() :].strip()
        own = content_tokens(part)
        if not own or len(part) > _LONGEST * len(question) or detect_language(part) != language:
            continue
        if (asked and not asks(part)) or any(char.isdigit() and char not in question for char in part):
            continue
        if sum(word in words for word in own) < _SHARED * len(own):
            continue
        if _bare(question) not in _bare(part):
            found.setdefault(_bare(part), part)
    return tuple(found.values())[:MAX_PARTS]


def _bare(text: str) -> str:
    return " ".join(text.lower().split()).rstrip(" ?!.。？！")
