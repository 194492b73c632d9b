"""An OpenAPI 3 description as a list of operations, each with one JSON Schema of its arguments.

Read here rather than by Semantic Kernel's parser, which gives up a whole description for one operation without
an id or for parameters that stand beside the methods of a path, as real descriptions have them; its runner writes
lists and booleans of a query as Python does, and takes the body's type from the answer's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import yaml

from plugins.external.attachment import is_address
from plugins.external.bounded_http import origin_of
from plugins.external.offered import FunctionFailedError, plain_name

METHODS = ("get", "put", "post", "delete", "patch", "head", "options")
BODY = "body"
_MAX_DEPTH = 12
_MAX_NODES = 5000
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation. `places` says where each argument goes: `path`, `query`, `body` (a field of it) or `whole`."""

    name: str
    method: str
    path: str
    description: str
    parameters: Mapping[str, Any]
    places: Mapping[str, str]
    missing_headers: tuple[str, ...] = ()


def parse_description(text: str) -> dict[str, Any]:
    """Return a description that is JSON or YAML.

    Raises:
        FunctionFailedError: it is neither, or no OpenAPI 3.
    """
    try:
        found = json.loads(text) if text.lstrip().startswith("{") else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise FunctionFailedError("the description is neither JSON nor YAML") from error
    if not isinstance(found, dict) or not str(found.get("openapi", "")).startswith("3."):
        raise FunctionFailedError("the description is no OpenAPI 3")
    return found


def base_address(description: Mapping[str, Any], source: str, server: str) -> str:
    """Return the address that the operations are below, without a slash at its end.

    Args:
        description: what was read.
        source: the file or address that it was read from.
        server: the address in the settings, which wins; empty for none.

    Raises:
        FunctionFailedError: there is none, or a description from the network names another host than its own.
    """
    if server:
        return server.rstrip("/")
    servers = description.get("servers")
    first = servers[0] if isinstance(servers, list) and servers and isinstance(servers[0], dict) else {}
    url = str(first.get("url", "/"))
    variables = first.get("variables")
    for name, variable in (variables if isinstance(variables, dict) else {}).items():
        url = url.replace(
            f"{{{name}}}", str(variable.get("default", "")) if isinstance(variable, dict) else ""
        )
    if is_address(source):
        url = urljoin(source, url)
        if is_address(url) and origin_of(url) != origin_of(source):
            raise FunctionFailedError(
                f"the description is for {origin_of(url)}, another host than its own; name that as server to allow it"
            )
    if not is_address(url):
        raise FunctionFailedError("the description does not say where its server is; name it as server")
    return url.rstrip("/")


def operations(description: Mapping[str, Any]) -> dict[str, Operation | str]:
    """Return the operations by the names that can be allowed; a reason where one cannot be used."""
    found: dict[str, Operation | str] = {}
    paths = description.get("paths")
    for path, item in (paths if isinstance(paths, dict) else {}).items():
        if not isinstance(item, dict):
            continue
        for method in METHODS:
            details = item.get(method)
            if isinstance(details, dict):
                name = plain_name(str(details.get("operationId") or f"{method}_{plain_name(str(path))}"))
                try:
                    made = _operation(name, method, str(path), item, details, description)
                except (FunctionFailedError, AttributeError, TypeError, ValueError) as error:
                    found[name] = str(error)
                else:
                    found[name] = made if name not in found else f"two operations are named {name}"
    return found


def _operation(
    name: str,
    method: str,
    path: str,
    item: Mapping[str, Any],
    details: Mapping[str, Any],
    description: Mapping[str, Any],
) -> Operation:
    properties: dict[str, Any] = {}
    places: dict[str, str] = {}
    required: list[str] = []
    headers: list[str] = []
    reader = _Reader(description)
    for parameter in _merged(item.get("parameters"), details.get("parameters"), reader):
        place, key = parameter.get("in"), str(parameter.get("name"))
        if place not in ("path", "query"):
            if parameter.get("required"):
                headers.append(key)  # headers and cookies are the settings' to give, never a model's
            continue
        schema = reader.schema(parameter.get("schema") or {"type": "string"})
        if parameter.get("description"):
            schema = {"description": str(parameter["description"])[:300], **schema}
        properties[key], places[key] = schema, str(place)
        if parameter.get("required") or place == "path":
            required.append(key)
    body = reader.resolved(details.get("requestBody") or {})
    if body:
        content = body.get("content") or {}
        if _JSON not in content:
            raise FunctionFailedError(f"its body is {', '.join(content) or 'nothing'}, not JSON")
        schema = reader.schema(content[_JSON].get("schema") or {})
        fields = schema.get("properties")
        if isinstance(fields, dict) and fields and not set(fields) & set(properties):
            properties |= fields
            places |= dict.fromkeys(fields, BODY)
            if body.get("required"):
                required += [key for key in schema.get("required", []) if key in fields]
        else:
            properties[BODY], places[BODY] = schema, "whole"
            required += [BODY] if body.get("required") else []
    told = str(details.get("summary") or details.get("description") or name)
    parameters = {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
    return Operation(
        name, method.upper(), path, " ".join(told.split())[:300], parameters, places, tuple(headers)
    )


def _merged(common: Any, own: Any, reader: _Reader) -> list[Mapping[str, Any]]:
    """Return the parameters of a path and of an operation, which wins."""
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for parameter in [*(common or []), *(own or [])]:
        resolved = reader.resolved(parameter)
        found[(str(resolved.get("in")), str(resolved.get("name")))] = resolved
    return list(found.values())


class _Reader:
    """Puts what a reference names in its place; bounded, since a schema may hold itself."""

    def __init__(self, description: Mapping[str, Any]) -> None:
        self._description = description
        self._nodes = 0

    def resolved(self, node: Any) -> dict[str, Any]:
        """Return an object, or the one that it refers to."""
        for _ in range(_MAX_DEPTH):
            if not isinstance(node, dict) or "$ref" not in node:
                return node if isinstance(node, dict) else {}
            node = self._target(str(node["$ref"]))
        raise FunctionFailedError("its references go round in a circle")

    def schema(self, node: Any, depth: int = 0) -> dict[str, Any]:
        """Return a schema without references, in the words of JSON Schema."""
        self._nodes += 1
        if self._nodes > _MAX_NODES:
            raise FunctionFailedError("its schema is too large")
        if depth > _MAX_DEPTH:
            return {}
        found = {key: self._value(key, value, depth) for key, value in self.resolved(node).items()}
        for bound, limit in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
            if isinstance(found.get(bound), bool):  # as OpenAPI 3.0 has it
                is_open = found.pop(bound)
                if is_open and limit in found:
                    found[bound] = found.pop(limit)
        if found.pop("nullable", False) is True and isinstance(found.get("type"), str):
            found["type"] = [found["type"], "null"]
        for word in ("example", "examples", "xml", "externalDocs", "discriminator", "deprecated"):
            found.pop(word, None)
        return found

    def _value(self, key: str, value: Any, depth: int) -> Any:
        if key in ("properties", "patternProperties") and isinstance(value, dict):
            return {name: self.schema(each, depth + 1) for name, each in value.items()}
        if key in ("items", "additionalProperties", "not") and isinstance(value, dict):
            return self.schema(value, depth + 1)
        if key in ("anyOf", "oneOf", "allOf", "prefixItems") and isinstance(value, list):
            return [self.schema(each, depth + 1) for each in value]
        return value

    def _target(self, reference: str) -> Any:
        if not reference.startswith("#/"):
            raise FunctionFailedError("it refers to another file, which is not read")
        node: Any = self._description
        for part in reference[2:].split("/"):
            key = part.replace("~1", "/").replace("~0", "~")
            if not isinstance(node, dict) or key not in node:
                raise FunctionFailedError(f"it refers to {reference[:80]}, which is not there")
            node = node[key]
        return node
