"""The operations of an OpenAPI description as functions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import httpx

from plugins.external.attachment import Attachment, is_address
from plugins.external.bounded_http import (
    MAX_DESCRIPTION_BYTES,
    bounded_client,
    origin_of,
    reason_of,
    status_reason,
)
from plugins.external.offered import FunctionFailedError, Loaded, OfferedFunction, plain_name
from plugins.external.openapi_description import (
    BODY,
    Operation,
    base_address,
    operations,
    parse_description,
)

Query = list[tuple[str, str | int | float | bool | None]]
_TEXT_TYPES = ("application/json", "application/problem+json", "text/")


class OpenApiSource:
    """An attached description. Holds no connection between calls."""

    def __init__(self, attachment: Attachment, headers: Mapping[str, str]) -> None:
        """Make a source; `headers` are the secrets of its settings, read already."""
        self._attachment = attachment
        self._headers = headers

    async def load(self) -> Loaded:
        """Read the description; return what is allowed of it.

        Raises:
            FunctionFailedError: it cannot be read; the message says why.
        """
        source = self._attachment.openapi
        description = parse_description(await self._read(source))
        base = base_address(description, source, self._attachment.server)
        allowed = {plain_name(name) for name in self._attachment.allow}
        functions, unusable, others = [], {}, []
        for name, found in operations(description).items():
            if name not in allowed:
                others.append(name)
            elif isinstance(found, str):
                unusable[name] = found
            elif lacking := [
                each for each in found.missing_headers if each.lower() not in self._header_names()
            ]:
                unusable[name] = f"it needs the header {', '.join(lacking)}; give it in headers_env"
            else:
                functions.append(self._function(found, base))
        return Loaded(functions, others, unusable)

    async def close(self) -> None:
        """Do nothing: there is nothing to close."""

    def _header_names(self) -> set[str]:
        return {name.lower() for name in self._headers}

    async def _read(self, source: str) -> str:
        if not is_address(source):
            return await asyncio.to_thread(_read_file, source)
        seconds = self._attachment.seconds
        # Its secrets are for the server that the description is of, and for no other.
        same = not self._attachment.server or _same_origin(source, self._attachment.server)
        headers = self._headers if same else {}
        try:
            async with (
                asyncio.timeout(seconds),
                bounded_client(
                    source, seconds=seconds, headers=headers, most_bytes=MAX_DESCRIPTION_BYTES
                ) as client,
            ):
                response = await client.get(source)
        except (httpx.HTTPError, OSError, FunctionFailedError, TimeoutError) as error:
            raise FunctionFailedError(reason_of(error, seconds)) from error
        if not response.is_success:
            raise FunctionFailedError(status_reason(response))
        return response.text

    def _function(self, operation: Operation, base: str) -> OfferedFunction:
        async def call(arguments: Mapping[str, Any]) -> str:
            return await self._call(operation, base, arguments)

        bounds = self._attachment
        return OfferedFunction(
            plugin=bounds.name,
            name=operation.name,
            description=operation.description,
            parameters=operation.parameters,
            call=call,
            seconds=bounds.seconds,
            characters=bounds.characters,
        )

    async def _call(self, operation: Operation, base: str, arguments: Mapping[str, Any]) -> str:
        url, query, body = request_of(operation, base, arguments)
        seconds = self._attachment.seconds
        try:
            async with bounded_client(base, seconds=seconds, headers=self._headers) as client:
                response = await client.request(operation.method, url, params=query, json=body)
        except (httpx.HTTPError, OSError, FunctionFailedError, TimeoutError) as error:
            raise FunctionFailedError(reason_of(error, seconds)) from error
        kind = response.headers.get("content-type", "text/plain")
        is_text = kind.startswith(_TEXT_TYPES) or "+json" in kind
        if not response.is_success:
            said = " ".join(response.text.split())[:200] if is_text and not response.is_redirect else ""
            raise FunctionFailedError(status_reason(response) + (f": {said}" if said else ""))
        if not is_text:
            raise FunctionFailedError(f"its answer is {kind[:60]}, no text")
        return _compact(response.text)


def _read_file(name: str) -> str:
    try:
        path = Path(name).expanduser()
        if path.stat().st_size > MAX_DESCRIPTION_BYTES:
            raise FunctionFailedError(f"{name} is larger than {MAX_DESCRIPTION_BYTES:,} bytes")
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise FunctionFailedError(f"{name} cannot be read: {reason}") from error


def request_of(operation: Operation, base: str, arguments: Mapping[str, Any]) -> tuple[str, Query, Any]:
    """Return the address, the query and the body of a call.

    Raises:
        FunctionFailedError: an argument would lead out of the operation's path.
    """
    path, fields, whole = operation.path, {}, None
    query: Query = []
    for name, value in arguments.items():
        place = operation.places.get(name)
        if place == "path":
            written = _written(value)
            if not written or written.strip(".") == "" or any(sign in unquote(written) for sign in "/\\"):
                raise FunctionFailedError(f"'{written[:40]}' leads out of the path of {operation.name}")
            path = path.replace(f"{{{name}}}", quote(written, safe=""))
        elif place == "query":
            values = value if isinstance(value, list) else [value]
            query += [(name, _written(each)) for each in values if each is not None]
        elif place == "whole":
            whole = value
        elif place == BODY:
            fields[name] = value
    body = fields if BODY in operation.places.values() else whole
    return f"{base}/{path.lstrip('/')}", query, body


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _compact(text: str) -> str:
    """Return JSON without the white space of its layout, other text as it is."""
    try:
        return json.dumps(json.loads(text), ensure_ascii=False)
    except ValueError:
        return text


def _same_origin(one: str, other: str) -> bool:
    return origin_of(one) == origin_of(other)
