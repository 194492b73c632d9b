"""Who may read a document, and who asks.

A document has an owner and readers; its owner, its readers and the members of groups among them find it, and nobody
else does. It is data in the store, a row for each reader, and a search is narrowed by it before it ranks.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from retrieval.errors import DeniedError, UsageError

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
class Bound:
    """What a key is bound to: documents that have, under each of some keys of tags, one of these values.

    `name` tells the key from others. `owns` says that within its bounds it may what the owner of the machine may, since
    it is nobody's.
    """

    name: str
    tags: tuple[tuple[str, tuple[str, ...]], ...]
    owns: bool = False

    def holds(self, tags: Mapping[str, Collection[str]]) -> bool:
        """Tell whether a document with these tags is within."""
        return all(not set(values).isdisjoint(tags.get(key, ())) for key, values in self.tags)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks; an empty user is somebody who did not say, and finds what everyone may read.

    `bound` narrows what is found, whoever it is.
    """

    user: str = ""
    groups: tuple[str, ...] = ()
    bound: Bound | None = None

    def principals(self) -> tuple[str, ...]:
        """Return what the caller counts as."""
        own = (f"user:{self.user}",) if self.user else ()
        return (EVERYONE, *own, *(f"group:{group}" for group in self.groups))

    @property
    def owns(self) -> bool:
        """Whether all documents within the bounds are the caller's, whoever else may read them."""
        return self.bound is not None and self.bound.owns

    @property
    def own_name(self) -> str:
        """What tells the caller from others; empty for somebody who did not say. A key that is bound is nobody else."""
        if self.bound is None:
            return self.user
        return f"{self.bound.name}\x1f{self.user}" if self.user or self.bound.owns else ""


def caller(user: str | None, groups: Iterable[str] = ()) -> Caller:
    """Return a caller of these names.

    Raises:
        UsageError: one of them cannot be a name, or there are groups without a user.
    """
    named = tuple(dict.fromkeys(_name(group) for group in groups))
    if named and not user:
        raise UsageError("groups need a user who is in them")
    return Caller(_name(user) if user else "", named)


def reads(who: Caller | None) -> tuple[tuple[str, ...], ...] | None:
    """Return what tells apart callers who find different documents: two of whom it is the same find the same."""
    if who is None:
        return None
    principals = () if who.owns else tuple(sorted(who.principals()))
    bound = () if who.bound is None else who.bound.tags
    return (principals, *((key, *values) for key, values in bound))


def may_change(who: Caller | None, held: Access) -> bool:
    """Tell whether somebody who reads a document may also change or delete it: its owner, and who owns the machine."""
    return who is None or who.owns or (bool(who.user) and who.user == held.owner)


def tags_within(who: Caller | None, tags: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Return the tags that a document gets which somebody brings, so that it stays within their bounds.

    Raises:
        DeniedError: they lie outside.
        UsageError: there is a choice, and none was made.
    """
    found = dict(tags)
    for key, values in () if who is None or who.bound is None else who.bound.tags:
        given = found.get(key, ())
        if outside := [value for value in given if value not in values]:
            raise DeniedError(f"{key}={outside[0][:100]} is not what this key is for: {_shown(key, values)}")
        if not given and len(values) > 1:
            raise UsageError(f"say where it belongs, by one of the tags {_shown(key, values)}")
        found[key] = given or values
    return found


def _shown(key: str, values: Iterable[str]) -> str:
    return ", ".join(f"{key}={value}" for value in values)


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
