"""The two forms in which the API tells an error: RFC 9457 problem details, and OpenAI's form on its addresses."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from ui.rest_models import ErrorDetail, ErrorResponse

PROBLEM_JSON = "application/problem+json"
_OPENAI = ("/v1/chat/completions", "/v1/embeddings", "/v1/models")
_SEE = "do as detail says"

PROBLEMS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "usage": (
            "What was asked for is wrong",
            "change the request as detail says; /docs names what may be asked",
        ),
        "bad_json": ("The body is not JSON", "send a body that is valid JSON, in UTF-8"),
        "busy": ("Too many ask at once", "ask again after retry_after seconds"),
        "no_index": ("There is no index yet", "upload a document, or run `tekio ingest PATH` on the server"),
        "index_busy": ("Another process is writing to the index", "ask again after retry_after seconds"),
        "index_signature": (
            "The index was made with another embedding model",
            "set the embedder back, or ingest into another index",
        ),
        "index_damaged": ("The index cannot be read", "let the operator run `tekio doctor`"),
        "unavailable": ("Something that is needed is missing", "let the operator do as detail says"),
        "internal": ("Something went wrong inside", "let the operator look into the log of the server"),
        "not_found": ("It is not there, or not yours to see", "look it up in the list of its kind"),
        "denied": ("You may not do this", "ask its owner or the operator"),
        "conflict": ("It cannot be done beside what is under way", "wait until that is done, or end it"),
        "job_running": (
            "A job of this kind is under way",
            "wait for it, or cancel it by DELETE /v1/jobs/{id}",
        ),
        "method_not_allowed": ("This address takes another method", "see /docs"),
        "unauthenticated": ("It is not known who you are", "send a key or a token that holds, as a bearer"),
        "forbidden": ("What you are allowed is not enough", "ask with a key that may, or ask the operator"),
        "rate_limited": ("Too many requests in a minute", "ask again after retry_after seconds"),
        "length_required": ("The length of the body is needed", "send Content-Length"),
        "too_large": ("The body is too large", "send less at once; detail says how much"),
        "host_refused": (
            "This host name is not served",
            "use the name of the server, or let the operator allow it",
        ),
        "origin_refused": (
            "Other web sites are not served",
            "call the API from its own host or from a program",
        ),
    }
)
"""The kinds of errors that have a title and a remedy of their own, by their names in `error.type`."""


def is_openai(path: str) -> bool:
    """Say whether an address speaks OpenAI's protocol."""
    return path.startswith(_OPENAI)


def problem(status: int, detail: ErrorDetail) -> ErrorResponse:
    """Return an error as problem details, with `error` beside them as clients knew it before."""
    title, remedy = PROBLEMS.get(detail.type, (_phrase(status), _SEE))
    return ErrorResponse(
        type=f"/docs#problem-{detail.type}",
        title=title,
        status=status,
        detail=detail.message,
        remedy=remedy,
        error=detail,
    )


def openai_error(status: int, detail: ErrorDetail) -> tuple[int, dict[str, Any]]:
    """Return an error as OpenAI's clients read it: its status there, and the body."""
    status = 400 if status == 422 else status
    kinds = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
    kind = "server_error" if status >= 500 else kinds.get(status, "invalid_request_error")
    code = "rate_limit_exceeded" if status == 429 else detail.type
    return status, {
        "error": {"message": detail.message, "type": kind, "param": detail.param or None, "code": code}
    }


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
