"""The OpenAPI description made whole: the form of errors, and what every address may answer.

FastAPI declares each model as JSON; errors are problem details (RFC 9457), but for OpenAI's addresses.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from ui.openai_models import OpenAIErrorResponse
from ui.rest_models import ErrorResponse
from ui.rest_problems import PROBLEM_JSON, is_openai

Schema = dict[str, Any]
_JSON = "application/json"
_REF = "#/components/schemas/{model}"
EVERYWHERE = {
    "400": "the request cannot be understood, or the host name is not served",
    "401": "a key is needed, or the one that came does not hold",
    "403": "the key's scope is not enough, or the request is from another web site",
    "411": "the key may send bodies of a known length only",
    "413": "the body is too large",
    "429": "too many ask at once, or this key too often; Retry-After says when to ask again",
    "422": "what was asked for is wrong; detail says what",
    "500": "something went wrong inside; the log of the server says what",
    "503": "not ready: no index yet, the index is busy, a model is missing",
}
"""What any address may answer, beside what it says itself."""


def describe_wholly(app: FastAPI) -> None:
    """Have an application describe itself with all that it may answer."""
    described = app.openapi

    def openapi() -> Schema:
        if app.openapi_schema is None:
            app.openapi_schema = completed(described())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def completed(description: Schema) -> Schema:
    """Return a description in which every address declares its errors, in the form that they have."""
    schemas = description.setdefault("components", {}).setdefault("schemas", {})
    for model in (ErrorResponse, OpenAIErrorResponse):
        own = model.model_json_schema(ref_template=_REF.format(model="{model}"))
        for name, schema in own.pop("$defs", {}).items():
            schemas.setdefault(name, schema)
        schemas.setdefault(model.__name__, own)
    for path, operations in description["paths"].items():
        for operation in operations.values():
            _complete(operation["responses"], openai=is_openai(path))
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    return description


def _complete(responses: Schema, *, openai: bool) -> None:
    everywhere = dict(EVERYWHERE)
    problem, own = (
        {"$ref": _REF.format(model=each.__name__)} for each in (ErrorResponse, OpenAIErrorResponse)
    )
    if openai:
        everywhere.pop("422")
        responses.pop("422", None)
    if _is_fastapis_own(responses.get("422", {})):
        del responses["422"]
    for status, said in everywhere.items():
        responses.setdefault(status, {"description": said})
    for status, response in responses.items():
        if not status.startswith(("4", "5")):
            continue
        content = response.setdefault("content", {})
        declared = content.pop(_JSON, {}).get("schema") or problem
        if openai and declared == problem:  # as what is declared once for all addresses
            declared = own
        content[_JSON if openai or _is_readiness(declared) else PROBLEM_JSON] = {"schema": declared}


def _is_fastapis_own(response: Schema) -> bool:
    schema = response.get("content", {}).get(_JSON, {}).get("schema", {})
    return str(schema.get("$ref", "")).endswith("/HTTPValidationError")


def _is_readiness(schema: Schema) -> bool:
    """Say whether this is what /readyz answers: how it stands, which is no error."""
    return str(schema.get("$ref", "")).endswith("/Readiness")
