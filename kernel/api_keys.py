"""The keys of the API: made at random, and kept as hashes where all servers of an index see them.

They are a value among the settings of the place of the memories, which is a folder, a PostgreSQL or a Qdrant; its lock
is held for moments only, so that a key can be revoked while documents are taken in.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args

from retrieval.access import Bound, Caller, caller
from retrieval.errors import IndexMissingError, TekioError, UsageError
from retrieval.records import Tags
from retrieval.stores.interface import IndexDatabase
from retrieval.stores.opening import Place, open_database, shown

Scope = Literal["read", "write", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
"""What a key may do, each scope with all before it."""
PREFIX = "tekio_"
LAYOUT = 2
"""1 had no `tags`."""
_META = "api_keys"
_SECRET_BYTES = 32
_LONGEST_NAME = 100
_MOST_DAYS = 36_500


class KeyRefusedError(TekioError):
    """A key is none of those that hold here; the message says why as far as whoever sent it may know."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its secret. Times are ISO 8601 in UTC, empty for never.

    `user` and `groups` are whose rights it has; without them it finds everything. `index` names the one index that it
    is for; empty, it is for all that are served over this memory. `tags` are what it is bound to: for each key of tags
    the values of which a document must have one. `digest` is the SHA-256 of the whole key, in hex.
    `per_minute` and `max_kb` are how many requests and how large ones may be sent; 0 is as the settings say.
    """

    id: str
    name: str
    scope: Scope
    digest: str
    created: str
    user: str = ""
    groups: tuple[str, ...] = ()
    index: str = ""
    expires: str = ""
    revoked: str = ""
    per_minute: int = 0
    max_kb: int = 0
    tags: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def caller(self, who: Caller | None) -> Caller | None:
        """Return whose rights count for its requests, where they are those of `who`: within what it is bound to."""
        if not self.tags:
            return who
        return replace(who or Caller(), bound=Bound(self.id, self.tags, owns=who is None))

    def state(self, now: datetime) -> str:
        """Say how it stands: `active`, `expired` or `revoked`."""
        if self.revoked:
            return "revoked"
        return "expired" if self.expires and self.expires <= _stamp(now) else "active"


def covers(scope: Scope, needed: Scope) -> bool:
    """Tell whether a scope holds what is needed."""
    return SCOPES.index(scope) >= SCOPES.index(needed)


class KeyStore:
    """The keys in one place. Blocks; call it from a thread."""

    def __init__(
        self,
        place: Place,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        fresh_seconds: float = 1.0,
    ) -> None:
        """Describe a store; nothing is made before a key is.

        Args:
            place: a folder, or the address of a server.
            now: gives the present.
            fresh_seconds: how long what was read is not read again: as long a key that was revoked by another process
                still holds.
        """
        self._place = place
        self._now = now
        self._fresh_seconds = fresh_seconds
        self._lock = threading.Lock()
        self._read_at = -fresh_seconds
        self._keys: dict[str, ApiKey] = {}

    def listed(self) -> list[ApiKey]:
        """Return all keys, the oldest first, those that hold no more too."""
        try:
            with closing(open_database(self._place, create=False)) as database:
                return self._in(database)
        except IndexMissingError:
            return []

    def create(
        self,
        name: str,
        scope: str,
        *,
        user: str = "",
        groups: Sequence[str] = (),
        index: str = "",
        days: int | None = None,
        per_minute: int = 0,
        max_kb: int = 0,
        tags: Tags | None = None,
    ) -> tuple[ApiKey, str]:
        """Make a key; return it, and its text, which is known to nobody afterwards.

        Args:
            name: for people, one that no other key which holds has.
            scope: `read`, `write` or `admin`.
            user: whose rights it has; empty finds everything.
            groups: that the user is in.
            index: identity of the one index that it is for; empty for all.
            days: that it holds; None for ever.
            per_minute: requests that may be sent with it; 0 is as the settings say.
            max_kb: kilobytes that each of them may have; 0 is as the settings say.
            tags: that it is bound to, see `ApiKey`; None for all documents.

        Raises:
            UsageError: one of them is wrong, or the name is taken.
        """
        now, name = self._now(), name.strip()
        if not name or len(name) > _LONGEST_NAME or not name.isprintable():
            raise UsageError(f"the name of a key has 1 to {_LONGEST_NAME} printable characters")
        if scope not in SCOPES:
            raise UsageError(f"the scope of a key is one of {', '.join(SCOPES)}, not '{scope[:50]}'")
        if days is not None and not 1 <= days <= _MOST_DAYS:
            raise UsageError(f"a key holds for 1 to {_MOST_DAYS:,} days, not {days}")
        if tags and scope == "admin":
            raise UsageError(
                "a key for a part of the documents has the scope read or write: admin starts work on the whole index"
            )
        who = caller(user or None, groups)
        number = secrets.token_hex(4)
        text = f"{PREFIX}{number}_{secrets.token_urlsafe(_SECRET_BYTES)}"
        key = ApiKey(
            id=number,
            name=name,
            scope=scope,
            digest=_digest(text),
            created=_stamp(now),
            user=who.user,
            groups=who.groups,
            index=index,
            expires="" if days is None else _stamp(now + timedelta(days=days)),
            per_minute=per_minute,
            max_kb=max_kb,
            tags=tuple((name, tuple(values)) for name, values in sorted((tags or {}).items())),
        )

        def add(keys: list[ApiKey]) -> list[ApiKey]:
            if any(each.name == name and each.state(now) == "active" for each in keys):
                raise UsageError(f"there is a key named '{name}': revoke it first, or take another name")
            return [*keys, key]

        self._change(add)
        return key, text

    def revoke(self, named: str) -> ApiKey:
        """Have a key hold no more, by its id or its name; return it.

        Raises:
            UsageError: there is none that holds of this id or name.
        """
        now = self._now()
        done: list[ApiKey] = []

        def mark(keys: list[ApiKey]) -> list[ApiKey]:
            for each in keys:
                if named in (each.id, each.name) and not each.revoked:
                    done.append(replace(each, revoked=_stamp(now)))
            if not done:
                raise UsageError(f"there is no key '{named[:100]}' to revoke; `tekio keys list` lists them")
            changed = {each.id: each for each in done}
            return [changed.get(each.id, each) for each in keys]

        self._change(mark)
        return done[-1]

    def are_there(self) -> bool:
        """Say whether keys were ever made here, and so must be shown."""
        return bool(self._known())

    def check(self, text: str, index: Callable[[], str]) -> ApiKey:
        """Return the key that a text is.

        Args:
            text: what was sent.
            index: gives the identity of the index that is served.

        Raises:
            KeyRefusedError: it is none, or one that holds no more, or not here.
        """
        number = text.removeprefix(PREFIX).partition("_")[0]
        key = self._known().get(number)
        # A plain hash is right for a key: it is 256 random bits, which nobody can guess from a list of likely ones, so
        # that a slow hash, as passwords need, would only slow each request. It is compared in constant time, so that
        # the time of a refusal tells nothing of how much of the hash was right.
        if not hmac.compare_digest(key.digest if key else _digest(""), _digest(text)) or key is None:
            raise KeyRefusedError("the key is not known here: check that it was copied whole")
        # From here on whoever asks has the key, and may know how it stands.
        state = key.state(self._now())
        if state != "active":
            raise KeyRefusedError(
                f"the key '{key.name}' is {state}: have another made by `tekio keys create`"
            )
        if key.index and key.index != index():
            raise KeyRefusedError(
                f"the key '{key.name}' is for another index than the one that is served here"
            )
        return key

    # -- parts --------------------------------------------------------------------------------------------

    def _known(self) -> dict[str, ApiKey]:
        with self._lock:
            if time.monotonic() - self._read_at >= self._fresh_seconds:
                self._keys = {key.id: key for key in self.listed()}
                self._read_at = time.monotonic()
            return self._keys

    def _change(self, change: Callable[[list[ApiKey]], list[ApiKey]]) -> None:
        with closing(open_database(self._place, create=True)) as database, database.writer():
            keys = change(self._in(database))
            held = {"layout": LAYOUT, "keys": [asdict(key) for key in keys]}
            database.set_meta(_META, json.dumps(held, ensure_ascii=False))
        with self._lock:
            self._read_at = -self._fresh_seconds

    def _in(self, database: IndexDatabase) -> list[ApiKey]:
        held: dict[str, Any] = database.get_meta_json(_META) or {"layout": LAYOUT, "keys": []}
        if int(held["layout"]) > LAYOUT:
            raise TekioError(
                f"the keys in {shown(self._place)} have layout {held['layout']}, this Tekio knows up to {LAYOUT}: get "
                "a newer Tekio"
            )
        return [_key_of(row) for row in held["keys"]]


def _key_of(row: Mapping[str, Any]) -> ApiKey:
    tags = tuple((key, tuple(values)) for key, values in row.get("tags", ()))
    return ApiKey(**{**row, "groups": tuple(row["groups"]), "tags": tags})


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
