"""Who a request is from, where a proxy in front has checked it and says so in a header.

Tekio has no passwords of its own. With the setting `user_header` every request is its user's, and one without the
header finds what everyone may read. The proxy must take the header away from what clients send; one that comes
twice is refused, since only one of them can be the proxy's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kernel.settings import Settings
from retrieval.access import Caller, caller
from retrieval.errors import UsageError


def caller_of(values: Callable[[str], Sequence[str]], settings: Settings) -> Caller | None:
    """Return who asks; None where users are not told apart.

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
