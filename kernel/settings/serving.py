"""How `tekio serve` and the page serve several people: who they are, what they may do, and what is logged of it."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, ValidationInfo, field_validator

from kernel.settings.home import HomePath


class Serving(BaseModel, frozen=True):
    """Users, limits of a server, audit and logs."""

    user_header: str = Field(
        "",
        pattern=r"^[A-Za-z0-9-]*$",
        description="header in which a proxy that has checked the user names them; empty: users are not told apart",
    )
    groups_header: str = Field(
        "", pattern=r"^[A-Za-z0-9-]*$", description="header with the user's groups, with commas between them"
    )
    oidc_issuer: str = Field(
        "", description="address of an OpenID Connect issuer whose tokens say who asks; empty: none is taken"
    )
    oidc_audience: str = Field(
        "", validate_default=True, description="whom the issuer's tokens must be for, their claim aud"
    )
    oidc_user_claim: str = Field("sub", min_length=1, description="the claim that is the user's name")
    oidc_groups_claim: str = Field(
        "groups", description="the claim that lists the user's groups; empty: none"
    )
    user_scope: Literal["read", "write"] = Field(
        "write", description="what users whom a proxy or a token names may do: read, or write as well"
    )
    admins: list[Annotated[str, Field(pattern="^(user|group):.+$")]] = Field(
        [], description="users and groups who may do everything over the API, as user:NAME and group:NAME"
    )
    requests_per_minute: int = Field(
        600, ge=0, description="requests that a key or user may send a minute to a server; 0: any"
    )
    cors_origins: list[Annotated[str, Field(pattern=r"^https?://[^/*\s]+$")]] = Field(
        [],
        description="web sites whose pages may use the API, as https://intranet.example; none unless named",
    )
    audit_log: HomePath | None = Field(
        None,
        description="file with a line of JSON for each request: who asked, and which documents were shown",
    )
    audit_log_mb: int = Field(10, ge=1, le=10_000, description="megabytes from which that file is put aside")
    audit_log_files: int = Field(10, ge=1, le=10_000, description="files put aside that are kept")
    stop_seconds: float = Field(
        20,
        ge=0,
        le=3600,
        description="longest time that answers under way may take when `tekio serve` is stopped",
    )
    unread_seconds: float = Field(
        60,
        ge=1,
        le=86_400,
        description="time after which `tekio serve` cuts a connection whose client reads nothing of what it is sent",
    )
    request_seconds: float = Field(
        30,
        ge=1,
        le=86_400,
        description="time that a client of `tekio serve` has for the head of a request and each next piece of its body",
    )
    max_connections: int = Field(
        1000,
        ge=10,
        le=100_000,
        description="open connections from which `tekio serve` cuts those that have waited longest for a request",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "warning", description="what `tekio serve` logs; info has a line for each request"
    )
    log_format: Literal["plain", "json"] = Field(
        "plain", description="how it does: for people, or JSON lines"
    )
    redact_logs: bool = Field(
        False, description="keep e-mail addresses, telephone and other numbers of questions out of logs"
    )

    @field_validator("oidc_issuer")
    @classmethod
    def _cannot_be_changed_on_the_way(cls, value: str) -> str:
        parts = urlsplit(value)
        local = parts.hostname in ("localhost", "127.0.0.1", "::1")
        if value and not (parts.scheme == "https" or (parts.scheme == "http" and local)):
            raise ValueError("it is an https:// address, or an http:// one of this machine")
        return value

    @field_validator("oidc_audience")
    @classmethod
    def _for_whom(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("oidc_issuer") and not value:
            raise ValueError("an issuer gives tokens to many services: say which of them are for this one")
        return value
