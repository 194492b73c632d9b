"""Every error of the API in the form of its address, with a fitting status, see `rest_problems`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kernel.pipelines.events import StepFailedError
from retrieval.errors import (
    BusyError,
    ConflictError,
    DeniedError,
    IndexBusyError,
    IndexDamagedError,
    IndexMissingError,
    IndexSignatureError,
    NotFoundError,
    TekioError,
    UsageError,
)
from ui.failures import describe
from ui.plaintext import one_line
from ui.rest_models import ErrorDetail
from ui.rest_problems import PROBLEM_JSON, is_openai, openai_error, problem

log = logging.getLogger("tekio.rest")

# The first class that fits gives status and type; a plain TekioError is something the operator has to mend.
_KINDS: tuple[tuple[type[TekioError], int, str], ...] = (
    (UsageError, 422, "usage"),
    (NotFoundError, 404, "not_found"),
    (DeniedError, 403, "denied"),
    (ConflictError, 409, "conflict"),
    (BusyError, 429, "busy"),
    (IndexMissingError, 503, "no_index"),
    (IndexBusyError, 503, "index_busy"),
    (IndexSignatureError, 409, "index_signature"),
    (IndexDamagedError, 503, "index_damaged"),
    (TekioError, 503, "unavailable"),
)
_HTTP_MESSAGES = {
    404: "there is nothing at this address; see /docs",
    405: "this address takes another method; see /docs",
}
_INDEX_BUSY_SECONDS = 10
INTERNAL_MESSAGE = "something went wrong inside Tekio; its log says what"


def kind_of(error: Exception) -> tuple[int, ErrorDetail]:
    """Return the status and the body's detail for an error; of an unforeseen one nothing is told."""
    cause = error.cause if isinstance(error, StepFailedError) else error
    for kind, status, name in _KINDS:
        if isinstance(cause, kind):
            return status, ErrorDetail(
                type=getattr(cause, "code", name),
                message=describe(error),
                retry_after=_when_to_ask_again(cause),
                param=getattr(cause, "param", None),
            )
    return 500, ErrorDetail(type="internal", message=INTERNAL_MESSAGE)


def error_response(
    status: int, detail: ErrorDetail, headers: Mapping[str, str] | None = None, *, path: str = ""
) -> JSONResponse:
    """Return an error as a response of an address; when to ask again stands in its header too."""
    again = {} if detail.retry_after is None else {"Retry-After": str(detail.retry_after)}
    sent = {**again, **(headers or {})}
    if is_openai(path):
        status, body = openai_error(status, detail)
        return JSONResponse(body, status_code=status, headers=sent)
    return JSONResponse(body_of(status, detail), status_code=status, headers=sent, media_type=PROBLEM_JSON)


def body_of(status: int, detail: ErrorDetail) -> dict[str, Any]:
    """Return the JSON of an error."""
    return problem(status, detail).model_dump(exclude_none=True)


def install_error_handlers(app: FastAPI) -> None:
    """Give an application the one form of error."""

    @app.exception_handler(TekioError)
    async def _tekio(request: Request, error: TekioError) -> JSONResponse:
        return error_response(*kind_of(error), path=request.url.path)

    @app.exception_handler(RequestValidationError)
    async def _validation(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        path = request.url.path
        if first["type"] == "json_invalid":
            return error_response(
                400, ErrorDetail(type="bad_json", message="the body is not valid JSON"), path=path
            )
        place = ".".join(str(part) for part in first["loc"] if part != "body") or "body"
        message = one_line(f"{place}: {first['msg'][:1].lower()}{first['msg'][1:]}")
        return error_response(422, ErrorDetail(type="usage", message=message, param=place), path=path)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        name = HTTPStatus(error.status_code).phrase
        detail = ErrorDetail(
            type=name.lower().replace(" ", "_"),
            message=_HTTP_MESSAGES.get(error.status_code, one_line(str(error.detail))),
        )
        return error_response(error.status_code, detail, error.headers, path=request.url.path)

    app.add_middleware(_Unforeseen)


def _when_to_ask_again(error: Exception) -> int | None:
    if isinstance(error, BusyError):
        return error.retry_after
    return _INDEX_BUSY_SECONDS if isinstance(error, IndexBusyError) else None


class _Unforeseen:
    """Answers an error that nobody foresaw, and logs it.

    A handler for `Exception` would do so too, but Starlette raises the error again behind it, and the
    server then closes the connection under a client that has been told nothing of it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def send_noting(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, send_noting)
        except Exception as error:
            if scope["type"] != "http" or started:
                raise
            log.exception("a request failed")
            status, detail = kind_of(error)
            await error_response(status, detail, path=scope["path"])(scope, receive, send)
