"""Whether a server answers, and whether it has a model: asked for `tekio doctor`, within seconds."""

from __future__ import annotations

import httpx

from kernel.chat.remote.place import FixedPlace
from retrieval.errors import TekioError, UsageError

_SECONDS = 3.0
_MOST_LISTED = 8


def probe(place: FixedPlace) -> str:
    """Return what a server answers, in words. Blocks for seconds at most.

    Raises:
        UsageError: the key is missing or not taken, or there is no such model.
        TekioError: it does not answer.
    """
    address = place.ready()
    try:
        answer = httpx.get(
            f"{address.url}/models",
            headers={"Authorization": f"Bearer {address.key}"},
            timeout=_SECONDS,
            trust_env=not address.is_here,
        )
    except httpx.HTTPError as error:
        why = " ".join(str(error).split()) or type(error).__name__
        raise TekioError(f"{place.name} does not answer ({why.replace(address.key, '…')})") from error
    if answer.status_code in (401, 403):
        wanted = f"does not take the key in {place.variable}" if place.variable else "asks for a key"
        raise UsageError(f"{place.name} {wanted} (HTTP {answer.status_code})")
    if answer.status_code >= 500:
        raise TekioError(f"{place.name} fails (HTTP {answer.status_code})")
    names = _names(answer)
    if names and place.model not in names:
        known = ", ".join(names[:_MOST_LISTED])
        raise UsageError(f"{place.name} has no model '{place.model}'; it has {known}")
    told = "" if names else f", and does not list its models (HTTP {answer.status_code})"
    return f"{place.model} at {place.name} answers{told}"


def _names(answer: httpx.Response) -> list[str]:
    try:
        return [str(row["id"]) for row in answer.json()["data"]]
    except (ValueError, KeyError, TypeError):
        return []
