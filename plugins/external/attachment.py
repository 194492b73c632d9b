"""What the settings say of attached functions: one table `[[functions]]` each."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

OWN_NAMES = frozenset({"calculator", "dates", "retrieval", "memory"})


class Attachment(BaseModel):
    """One OpenAPI description or MCP server, with which of its functions may be called, and within what bounds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(
        pattern=r"^[A-Za-z][A-Za-z0-9_]{0,39}$", description="name of the plugin that its functions make"
    )
    openapi: str = Field("", description="file or address of an OpenAPI 3 description")
    server: str = Field("", description="address that the description is of, where it does not say so itself")
    mcp_command: list[str] = Field([], description="command, and its words, of an MCP server over stdio")
    mcp_url: str = Field("", description="address of an MCP server over streamable HTTP")
    allow: list[str] = Field([], description="the only functions that can be called; none unless named")
    seconds: float = Field(10, gt=0, le=300, description="longest time for connecting, and for a call")
    characters: int = Field(4000, ge=1, le=100_000, description="longest result; more is cut")
    headers_env: dict[str, str] = Field(
        {}, description="headers to send, each with the environment variable that holds its value"
    )
    env: list[str] = Field([], description="environment variables that the command of an MCP server gets")

    @field_validator("name")
    @classmethod
    def _free(cls, name: str) -> str:
        if name in OWN_NAMES or name.startswith("prompts_"):
            raise ValueError(f"'{name}' is the name of a plugin of Tekio's own")
        return name

    @field_validator("server", "mcp_url")
    @classmethod
    def _address(cls, value: str) -> str:
        if value and not is_address(value):
            raise ValueError("it is an address, http://… or https://…, without a user or password in it")
        return value

    @model_validator(mode="after")
    def _one_kind(self) -> Attachment:
        kinds = [key for key in ("openapi", "mcp_command", "mcp_url") if getattr(self, key)]
        if len(kinds) != 1:
            given = " and ".join(kinds) or "none"
            raise ValueError(
                f"functions '{self.name}' have one of openapi, mcp_command and mcp_url, not {given}"
            )
        if self.server and not self.openapi:
            raise ValueError("server belongs to openapi")
        if self.env and not self.mcp_command:
            raise ValueError("env belongs to mcp_command")
        if self.headers_env and self.mcp_command:
            raise ValueError("headers_env belongs to openapi and mcp_url")
        return self

    @property
    def kind(self) -> str:
        """What it is, as people are told it."""
        if self.openapi:
            return "OpenAPI"
        return "MCP over stdio" if self.mcp_command else "MCP over HTTP"

    @property
    def where(self) -> str:
        """The file, address or command that it names."""
        return self.openapi or self.mcp_url or " ".join(self.mcp_command)


def is_address(text: str) -> bool:
    """Say whether a text is an address of HTTP that names no user."""
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return False


def check_names(attachments: Sequence[Attachment]) -> None:
    """Raise a ValueError where two attachments have one name."""
    seen: set[str] = set()
    for each in attachments:
        if each.name in seen:
            raise ValueError(f"two tables of functions are named '{each.name}'")
        seen.add(each.name)
