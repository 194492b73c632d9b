"""Who a request is from, and what that allows.

Over the API a key or a token says so, see `ui/authentication.py`. Or a proxy in front has checked it and says so in a
header: with the setting `user_header` every request is its user's, and one without the header finds what everyone may
read. The proxy must take the header away from what clients send; one that comes twice is refused, since only one of
them can be the proxy's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.requests import HTTPConnection

from kernel.api_keys import Scope
from kernel.settings import Settings
from retrieval.access import Caller, caller
from retrieval.errors import UsageError

IDENTITY = "tekio.identity"
"""Where the identity of a request stands in its ASGI scope."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks.

    `caller` is whose rights count in the store; None is who owns the machine. `name` tells them from others in limits
    and in the audit log, `shown` is how they are told. `per_minute` and `max_kb` are how many requests and how large
    ones they may send; 0 is as the settings say.
    """

    caller: Caller | None
    scope: Scope
    name: str
    shown: str
    per_minute: int = 0
    max_kb: int = 0


MACHINE = Identity(None, "admin", "machine", "who owns the machine")


def caller_in(request: HTTPConnection) -> Caller | None:
    """Return whose rights a request to the API has, as it was found before the request came to its route.

    Raises:
        KeyError: nobody looked; a route that nobody guards must not answer.
    """
    found: Identity = request.scope[IDENTITY]
    return found.caller


def caller_of(values: Callable[[str], Sequence[str]], settings: Settings) -> Caller | None:
    """Return whom the proxy names; None where users are not told apart. For the page; routes ask `caller_in`.

    Args:
        values: gives the values of a header, by its name.
        settings: name the headers.

    Raises:
        UsageError: a header comes twice, or what it holds cannot be a name.
    """
    if not settings.user_header:
        return None
    user = _only(values, settings.user_header)
    groups = _only(values, settings.groups_header) if settings.groups_header and user else ""
    return caller(user or None, [part for part in groups.split(",") if part.strip()])


def _only(values: Callable[[str], Sequence[str]], name: str) -> str:
    found = values(name)
    if len(found) > 1:
        raise UsageError(f"the header {name} comes more than once: the proxy must replace what clients send")
    return _utf8(found[0]).strip() if found else ""


def _utf8(value: str) -> str:
    """Return a header's text: servers read its bytes as Latin-1, proxies write names in UTF-8."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except (UnicodeEncodeError, UnicodeDecodeError):
        return value
