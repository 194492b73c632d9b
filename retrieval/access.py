"""Who may read a document, and who asks.

A document has an owner and readers; its owner, its readers and the members of groups among them find it, and nobody
else does. It is data in the store, a row for each reader, and a search is narrowed by it before it ranks.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from retrieval.errors import UsageError

EVERYONE = "*"
_LONGEST = 200
_KINDS = ("user", "group")


@dataclass(frozen=True, slots=True)
class Access:
    """Who may read a document: its owner, and readers, each `*`, `user:NAME` or `group:NAME`."""

    owner: str = ""
    readers: tuple[str, ...] = (EVERYONE,)

    def principals(self) -> tuple[str, ...]:
        """Return everyone who may read it, each once."""
        own = (f"user:{self.owner}",) if self.owner else ()
        return tuple(dict.fromkeys((*own, *self.readers)))

    def is_same(self, other: Access) -> bool:
        """Tell whether another has the same owner and the same readers, in whatever order."""
        return self.owner == other.owner and set(self.principals()) == set(other.principals())


PUBLIC = Access()


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks; an empty user is somebody who did not say, and finds what everyone may read."""

    user: str = ""
    groups: tuple[str, ...] = ()

    def principals(self) -> tuple[str, ...]:
        """Return what the caller counts as."""
        own = (f"user:{self.user}",) if self.user else ()
        return (EVERYONE, *own, *(f"group:{group}" for group in self.groups))


def caller(user: str | None, groups: Iterable[str] = ()) -> Caller:
    """Return a caller of these names.

    Raises:
        UsageError: one of them cannot be a name, or there are groups without a user.
    """
    named = tuple(dict.fromkeys(_name(group) for group in groups))
    if named and not user:
        raise UsageError("groups need a user who is in them")
    return Caller(_name(user) if user else "", named)


def access(owner: str, readers: Iterable[str]) -> Access:
    """Return an access of these names; without readers the owner alone, or everyone if there is no owner.

    Args:
        owner: a user's name; empty for none.
        readers: each `everyone`, `user:NAME` or `group:NAME`.

    Raises:
        UsageError: one of them is none of these.
    """
    named = tuple(dict.fromkeys(_reader(text) for text in readers))
    owned = _name(owner) if owner else ""
    return Access(owned, named or (() if owned else (EVERYONE,)))


def _reader(text: str) -> str:
    if text.strip() in (EVERYONE, "everyone"):
        return EVERYONE
    kind, sign, name = text.partition(":")
    if not sign or kind.strip() not in _KINDS:
        raise UsageError(f"'{text[:100]}' is no reader: write everyone, user:NAME or group:NAME")
    return f"{kind.strip()}:{_name(name)}"


def _name(text: str) -> str:
    """Return a name in one spelling: what looks the same is the same name."""
    name = unicodedata.normalize("NFC", text).strip()
    if not name or len(name) > _LONGEST or not name.isprintable():
        raise UsageError(f"'{text[:50]!r}' cannot be a name: use 1 to {_LONGEST} printable characters")
    return name
