"""A memory: what it is, whose it is, and how it is laid out in the store.

Layout 1 held a text, whose it was and when it was saved; layout 2 what a `Memory` says. A store of layout 1 is
brought to layout 2 when it is opened, one of a newer layout is refused.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any, Literal, get_args

from retrieval.access import Caller
from retrieval.errors import UsageError

Kind = Literal["fact", "answer"]
Source = Literal["request", "rule", "thumbs_up"]
KINDS: tuple[str, ...] = get_args(Kind)

LAYOUT = 2
FIELDS = (
    "user",
    "kind",
    "text",
    "answer",
    "conversation",
    "source",
    "created",
    "confirmed",
    "confirmed_at",
    "expires",
    "cited",
)
MACHINE = "machine"
"""Whose memory it is where users are not told apart: that of who owns the machine. No user can be named so,
since a user's is `user:NAME`."""

MAX_TEXT = 4000
MAX_ANSWER = 20_000
MAX_NAME = 200
MAX_CITED = 50
_OLD_DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Cited:
    """A place that a remembered answer cites; `content_hash` names what the document held then."""

    document: str
    content_hash: str
    quote: str = ""
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """Something remembered. Times are ISO 8601 in UTC; an empty one is none.

    `text` is the fact, or the question of an answer. `conversation` names the one that it is kept for; empty, it is
    the user's everywhere. `confirmed` counts how often the user said that it is right.
    """

    id: str
    kind: Kind
    text: str
    created: str
    answer: str = ""
    conversation: str = ""
    source: Source = "request"
    confirmed: int = 0
    confirmed_at: str = ""
    expires: str = ""
    cited: tuple[Cited, ...] = ()

    def is_expired(self, now: datetime) -> bool:
        """Say whether its time is over."""
        return bool(self.expires) and self.expires <= stamp(now)

    @property
    def renewed(self) -> str:
        """When it was last said or confirmed."""
        return max(self.created, self.confirmed_at)


def owner_of(caller: Caller | None) -> str:
    """Name whose memory a caller's is, as the store does; empty for somebody unknown, who has none."""
    if caller is None:
        return MACHINE
    if (
        caller.bound is not None
    ):  # a place of its own: what others were told may be of documents beyond its bounds
        return f"key:{caller.own_name}" if caller.own_name else ""
    return f"user:{caller.user}" if caller.user else ""


def key_of(owner: str, kind: str, text: str, conversation: str) -> str:
    """Name a memory by what it is: the same thing said again by the same user is the same memory."""
    own = uuid.uuid5(uuid.NAMESPACE_OID, owner)
    return str(uuid.uuid5(own, json.dumps([kind, conversation, text])))


def data_of(owner: str, memory: Memory) -> dict[str, Any]:
    """Return a memory as the store holds it."""
    cited = [[each.document, each.content_hash, each.quote, each.page] for each in memory.cited]
    return {
        "user": owner,
        "kind": memory.kind,
        "text": memory.text,
        "answer": memory.answer,
        "conversation": memory.conversation,
        "source": memory.source,
        "created": memory.created,
        "confirmed": memory.confirmed,
        "confirmed_at": memory.confirmed_at,
        "expires": memory.expires,
        "cited": json.dumps(cited, ensure_ascii=False),
    }


def memory_of(key: str, data: Mapping[str, Any]) -> Memory:
    """Return a memory from what the store holds of it."""
    return Memory(
        id=key,
        kind=data["kind"],
        text=data["text"],
        answer=data["answer"],
        conversation=data["conversation"],
        source=data["source"],
        created=data["created"],
        confirmed=int(data["confirmed"]),
        confirmed_at=data["confirmed_at"],
        expires=data["expires"],
        cited=tuple(Cited(*each) for each in json.loads(data["cited"])),
    )


def from_layout_1(key: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what layout 2 holds of a row of layout 1, whose default user was who owns the machine."""
    user = str(data["user"])
    owner = MACHINE if user == _OLD_DEFAULT else f"user:{user}"
    return data_of(owner, Memory(id=key, kind="fact", text=data["text"], created=data["saved_at"]))


def stamp(moment: datetime) -> str:
    """Return a moment as the store writes it: UTC, to the second, so that texts sort as times do."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def check_text(text: str, *, name: str = "a memory", most: int = MAX_TEXT) -> str:
    """Return a text to remember, without surrounding space.

    Raises:
        UsageError: it is empty or too long.
    """
    text = encodable(text).strip()
    if not text or len(text) > most:
        raise UsageError(f"{name} is a text of 1 to {most:,} characters, not {len(text):,}")
    return text


def check_name(name: str, *, what: str = "conversation") -> str:
    """Return a name in one spelling; empty stays empty.

    Raises:
        UsageError: it is too long or cannot be printed.
    """
    name = encodable(name).strip()
    if len(name) > MAX_NAME or not (name.isprintable() or not name):
        raise UsageError(f"the name of a {what} has 1 to {MAX_NAME} printable characters: '{name[:50]!r}'")
    return name


def check_expiry(text: str, now: datetime) -> str:
    """Return when a memory ends; empty is never. A day alone is meant to its end, in UTC.

    Raises:
        UsageError: it is no date of ISO 8601, or is over.
    """
    if not text.strip():
        return ""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(f"'{text[:50]}' is no date: write 2027-01-31, or 2027-01-31T18:00+09:00") from None
    if len(text.strip()) <= len("2027-01-31"):
        moment = datetime.combine(moment.date(), time(23, 59, 59))
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if moment <= now:
        raise UsageError(f"{text[:50]} is over: name a later time, or delete the memory")
    return stamp(moment)


def check_cited(cited: Sequence[Cited]) -> tuple[Cited, ...]:
    """Return the places that an answer cites, each once, at most fifty."""
    return tuple(dict.fromkeys(cited))[:MAX_CITED]


def encodable(text: str) -> str:
    """Replace lone surrogates, which no database takes, by U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
