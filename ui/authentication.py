"""Who sends a request: found by its key, or by the user whom a proxy names, before anything of it is read.

Without keys, and without users who are told apart, the API is open to this machine alone: `tekio serve` does not start
otherwise, see `require_guard`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.datastructures import Headers

from kernel.api_keys import PREFIX, ApiKey, KeyRefusedError, Scope
from kernel.settings import Settings
from retrieval.access import Caller, caller
from retrieval.errors import TekioError, UsageError
from ui.addresses import is_loopback
from ui.identity import MACHINE, Identity, caller_of

if TYPE_CHECKING:
    from kernel.app import Tekio
    from ui.oidc import TokenVerifier

_THREADS = 4


class UnauthenticatedError(TekioError):
    """A request must say whose it is, and does not, or says what is not so."""

    def __init__(self, message: str, *, challenge: str = "") -> None:
        super().__init__(message)
        self.challenge = challenge


class Authenticator:
    """Finds who sends a request."""

    def __init__(self, tekio: Tekio, *, exposed: bool) -> None:
        """Put it together.

        Args:
            tekio: has the keys and the settings.
            exposed: whether others than this machine reach the service, so that somebody who does not say who they
                are is refused even when all keys are gone.
        """
        self._tekio = tekio
        self._settings = tekio.settings
        self._exposed = exposed
        self._tokens = _verifier(self._settings)
        # Threads of their own: neither requests that wait for something, nor an issuer that does not answer, keep
        # those with a key outside.
        self._for_keys = CapacityLimiter(_THREADS)
        self._for_tokens = CapacityLimiter(_THREADS)

    async def identify(self, headers: Headers) -> Identity:
        """Return who sends a request with these headers.

        Raises:
            UnauthenticatedError: no key or a wrong one came where one is needed.
            UsageError: a header that a proxy sets comes twice, or holds no name.
        """
        token = _bearer(headers)
        if token is not None and token.startswith(PREFIX):
            return self._of_key(await run_sync(self._checked, token, limiter=self._for_keys), headers)
        if token is not None and self._tokens is not None:
            named = await run_sync(_user_of, self._tokens, token, limiter=self._for_tokens)
            return of_user(named, self._settings)
        are_there = self._tekio.keys.are_there
        guarded = self._tokens is not None or await run_sync(are_there, limiter=self._for_keys)
        if token is not None and (guarded or self._exposed):
            raise UnauthenticatedError("the token is no key of Tekio's", challenge="invalid_token")
        if self._settings.user_header:
            named = caller_of(headers.getlist, self._settings) or Caller()
            if named.user:
                return of_user(named, self._settings)
            if not guarded:
                return Identity(named, "read", "nobody", "somebody who is not named")
        elif not guarded and not self._exposed:
            return MACHINE
        what = "a key, or a token of the issuer," if self._tokens else "a key"
        raise UnauthenticatedError(
            f"{what} is needed: send the header `Authorization: Bearer KEY`; `tekio keys create NAME` makes one"
        )

    def _checked(self, text: str) -> ApiKey:
        try:
            return self._tekio.keys.check(text, self._index)
        except KeyRefusedError as error:
            raise UnauthenticatedError(str(error), challenge="invalid_token") from error

    def _index(self) -> str:
        state = self._tekio.index_state()
        return "" if state is None else state[0]

    def _of_key(self, key: ApiKey, headers: Headers) -> Identity:
        # The rights of the key's own user, or of whom the proxy names, or of who owns the machine.
        who = caller(key.user, key.groups) if key.user else caller_of(headers.getlist, self._settings)
        who = key.caller(who)
        return Identity(who, key.scope, f"key:{key.id}", f"the key '{key.name}'", key.per_minute, key.max_kb)


def is_admin(who: Caller, settings: Settings) -> bool:
    """Say whether a user may do everything, over the API and on the page."""
    return not set(settings.admins).isdisjoint(who.principals())


def of_user(who: Caller, settings: Settings) -> Identity:
    """Return the identity of a user whom a proxy or an issuer of tokens has checked."""
    scope: Scope = "admin" if is_admin(who, settings) else settings.user_scope
    return Identity(who, scope, f"user:{who.user}", f"the user '{who.user}'")


def require_guard(tekio: Tekio, host: str) -> None:
    """Refuse to listen to other machines where nothing tells who asks.

    Raises:
        UsageError: there is neither a key nor a setting that says.
    """
    settings = tekio.settings
    if is_loopback(host) or settings.user_header or settings.oidc_issuer or tekio.keys.are_there():
        return
    raise UsageError(
        f"on {host} everyone in the network could read the documents: make a key first with `tekio keys create NAME "
        "--scope read`, or set oidc_issuer, or user_header if a proxy in front checks who asks"
    )


def _verifier(settings: Settings) -> TokenVerifier | None:
    if not settings.oidc_issuer:
        return None
    from ui.oidc import TokenVerifier

    return TokenVerifier(
        settings.oidc_issuer,
        settings.oidc_audience,
        user_claim=settings.oidc_user_claim,
        groups_claim=settings.oidc_groups_claim,
    )


def _user_of(tokens: TokenVerifier, token: str) -> Caller:
    from ui.oidc import TokenRefusedError

    try:
        return tokens.check(token)
    except TokenRefusedError as error:
        raise UnauthenticatedError(str(error), challenge="invalid_token") from error


def _bearer(headers: Headers) -> str | None:
    """Return the token of the header Authorization; None where there is none.

    Raises:
        UnauthenticatedError: the header comes twice.
    """
    found = headers.getlist("authorization")
    if len(found) > 1:
        raise UnauthenticatedError(
            "the header Authorization comes more than once", challenge="invalid_request"
        )
    kind, _, token = (found[0] if found else "").strip().partition(" ")
    return token.strip() if kind.lower() == "bearer" and token.strip() else None
