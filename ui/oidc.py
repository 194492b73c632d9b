"""Tokens of an OpenID Connect issuer: who a user is, by the issuer's signature.

The issuer's keys are found by its discovery document (OpenID Connect Discovery 1.0) and kept; a token that names an
unknown key has them fetched again, at most twice a minute. Only signatures by a key pair are taken: with `none`, or
with a shared secret, whoever knows the public key could sign.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx
import jwt

from retrieval.access import Caller, caller
from retrieval.errors import TekioError, UsageError
from ui.addresses import is_loopback

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_LEEWAY_SECONDS = 30
"""How far the clocks of the issuer and of this machine may be apart."""
_TIMEOUT_SECONDS = 5
_KEYS_SECONDS = 300
_REFETCH_SECONDS = 30
_FAILED_SECONDS = 5
_MOST_CHARACTERS = 16_000
_UNREACHABLE = (httpx.HTTPError, jwt.PyJWKClientConnectionError, ValueError, KeyError, TypeError)


class TokenRefusedError(TekioError):
    """A token does not say who a user is here; the message says why."""


class TokenVerifier:
    """Checks the tokens of one issuer. Blocks; call it from a thread."""

    def __init__(self, issuer: str, audience: str, *, user_claim: str, groups_claim: str) -> None:
        """Describe an issuer; nothing is fetched before a token comes.

        Args:
            issuer: its address, exactly as its tokens name it.
            audience: whom the tokens must be for.
            user_claim: the claim that is the user's name.
            groups_claim: the claim that lists the user's groups; empty takes none.
        """
        self._issuer = issuer
        self._audience = audience
        self._user_claim = user_claim
        self._groups_claim = groups_claim
        self._lock = threading.Lock()
        self._client: jwt.PyJWKClient | None = None
        self._failed_until = 0.0
        self._failure = ""

    def check(self, token: str) -> Caller:
        """Return the user whom a token names.

        Raises:
            TokenRefusedError: it is none of the issuer's, is not for this service, or holds no more.
            TekioError: the issuer cannot be reached.
        """
        if len(token) > _MOST_CHARACTERS:
            raise TokenRefusedError("the token is too long")
        try:
            key = self._key_of(jwt.get_unverified_header(token))
            claims = jwt.decode(
                token,
                key,
                algorithms=list(ALGORITHMS),
                audience=self._audience,
                issuer=self._issuer,
                leeway=_LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud", self._user_claim], "verify_sub": False},
            )
        except jwt.PyJWTError as error:
            raise TokenRefusedError(_reason(error)) from None  # with nothing of the token in a traceback
        return self._caller(claims)

    def count_keys(self) -> int:
        """Return how many keys the issuer signs with, fetched anew.

        Raises:
            TekioError: it cannot be reached.
        """
        try:
            return len(self._found().get_signing_keys())
        except (*_UNREACHABLE, jwt.PyJWTError) as error:
            raise TekioError(self._unreachable(error)) from error

    def _unreachable(self, error: Exception) -> str:
        return (
            f"the keys of the issuer {self._issuer} cannot be fetched ({type(error).__name__}): try again in a moment, "
            "or mend the setting oidc_issuer"
        )

    def _caller(self, claims: Mapping[str, Any]) -> Caller:
        user, groups = (
            claims[self._user_claim],
            claims.get(self._groups_claim) if self._groups_claim else None,
        )
        listed = [groups] if isinstance(groups, str) else [] if groups is None else groups
        if not isinstance(user, str) or not user.strip() or not isinstance(listed, list):
            raise TokenRefusedError(
                f"the token's claim '{self._user_claim}' is no name, or its groups no list"
            )
        try:
            return caller(user, [group for group in listed if isinstance(group, str) and group.strip()])
        except UsageError as error:
            raise TokenRefusedError(f"the token's claims are no names: {error}") from error

    def _key_of(self, header: Mapping[str, Any]) -> Any:
        if header.get("alg") not in ALGORITHMS:
            raise jwt.InvalidAlgorithmError
        number = header.get("kid")
        if not isinstance(number, str):
            raise jwt.PyJWKClientError
        with self._lock:  # one that comes while the keys are fetched waits for them
            if time.monotonic() < self._failed_until:
                raise TekioError(self._failure)
            try:
                if self._client is None:
                    self._client = self._found()
                return self._client.get_signing_key(number).key
            except _UNREACHABLE as error:
                # Not tried for each token anew: requests would wait one after the other.
                self._failed_until = time.monotonic() + _FAILED_SECONDS
                self._failure = self._unreachable(error)
                raise TekioError(self._failure) from error

    def _found(self) -> jwt.PyJWKClient:
        address = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
        response = httpx.get(address, timeout=_TIMEOUT_SECONDS, follow_redirects=False)
        response.raise_for_status()
        described = response.json()
        if described["issuer"] != self._issuer:
            raise ValueError("the discovery document is of another issuer")
        return jwt.PyJWKClient(
            check_address(described["jwks_uri"]),
            lifespan=_KEYS_SECONDS,
            timeout=_TIMEOUT_SECONDS,
            cooldown_duration=_REFETCH_SECONDS,
        )


def check_address(text: str) -> str:
    """Return the address of an issuer or of its keys.

    Raises:
        ValueError: whoever is on the way could change what comes from there.
    """
    parts = urlsplit(text)
    if parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        return text
    raise ValueError("it is an https:// address, or an http:// one of this machine")


def _reason(error: jwt.PyJWTError) -> str:
    if isinstance(error, jwt.ExpiredSignatureError):
        return "the token is expired: get a new one from its issuer"
    if isinstance(error, jwt.InvalidAudienceError):
        return "the token is for another service: its audience is not the setting oidc_audience"
    if isinstance(error, jwt.InvalidIssuerError):
        return "the token is of another issuer than the setting oidc_issuer"
    if isinstance(error, jwt.MissingRequiredClaimError):
        return f"the token lacks the claim '{error.claim}'"
    if isinstance(error, jwt.ImmatureSignatureError):
        return "the token does not hold yet: check the clocks"
    if isinstance(error, jwt.InvalidAlgorithmError):
        return "the token is not signed by a key pair"
    if isinstance(error, jwt.PyJWKClientError):
        return "the token names a key that its issuer does not have"
    return "the token is neither a key of Tekio's nor one that its issuer signed"
