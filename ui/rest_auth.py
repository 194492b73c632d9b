"""The door of the API: nothing of a request is read before it is known who sends it and whether they may."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.routing import Match
from starlette.types import ASGIApp, Receive, Scope, Send

from kernel.api_keys import covers
from retrieval.errors import TekioError
from ui.authentication import Authenticator, UnauthenticatedError
from ui.identity import IDENTITY, MACHINE, Identity
from ui.limits import Limits
from ui.rest_errors import error_response, kind_of
from ui.rest_models import ErrorDetail
from ui.scopes import Needed, needed_scope


class Door:
    """ASGI middleware that finds who asks, and lets through whose scope is enough for the route."""

    def __init__(self, app: ASGIApp, authenticator: Authenticator, limits: Limits) -> None:
        self._app = app
        self._authenticator = authenticator
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through with its identity, or answer it with 401, 403 or 429."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # there is no address for web sockets, and none that nobody guards
            await send({"type": "websocket.close", "code": 1008})
            return
        needed = needed_of(scope)
        if needed == "open":
            await self._app(scope, receive, send)
            return
        headers, path = Headers(scope=scope), scope["path"]
        try:
            identity = await self._authenticator.identify(headers)
        except UnauthenticatedError as error:
            # RFC 6750: what kind of proof is wanted, and whether the one that came was wrong.
            wrong = f', error="{error.challenge}"' if error.challenge else ""
            wanted = {"WWW-Authenticate": f'Bearer realm="tekio"{wrong}'}
            detail = ErrorDetail(type="unauthenticated", message=str(error))
            await error_response(401, detail, wanted, path=path)(scope, receive, send)
            return
        except TekioError as error:
            await error_response(*kind_of(error), path=path)(scope, receive, send)
            return
        scope[IDENTITY] = identity
        refusal = self._limits.refusal(identity, scope["method"], headers)
        if refusal is not None:
            await error_response(*refusal, path=path)(scope, receive, send)
            return
        if not covers(identity.scope, needed):
            detail = ErrorDetail(type="forbidden", message=_refusal(identity, needed))
            await error_response(403, detail, path=path)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def needed_of(scope: Scope) -> Needed:
    """Return what the route of a request needs; what has no route needs a key too, and tells nothing without one."""
    app: FastAPI = scope["app"]
    partial: Needed | None = None
    for route in app.router.routes:
        match, _ = route.matches(scope)
        path = str(getattr(route, "path", scope["path"]))
        if match is Match.FULL:
            return needed_scope(scope["method"], path)
        if (
            match is Match.PARTIAL and partial is None
        ):  # the address takes other methods, which the answer names
            partial = needed_scope(min(getattr(route, "methods", None) or {scope["method"]}), path)
    return partial or "read"


def _refusal(identity: Identity, needed: Needed) -> str:
    if identity.name.startswith("key:"):
        remedy = f"`tekio keys create NAME --scope {needed}` makes one that may"
    elif identity is MACHINE or identity.name == "nobody":
        remedy = "say who you are: a key or a user is needed"
    else:
        remedy = "the settings user_scope and admins say who may do what"
    return f"this needs the scope {needed}, and {identity.shown} has {identity.scope}: {remedy}"
