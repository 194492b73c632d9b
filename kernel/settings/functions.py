"""Which functions can be called, by the language model and by MCP clients."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field, field_validator

from kernel.functions.ability import FunctionCalling
from plugins.external.attachment import Attachment, check_names


class Functions(BaseModel, frozen=True):
    """Functions of Tekio's own and of what is attached."""

    function_calling: FunctionCalling = Field(
        "auto",
        description="whether the language model calls functions: off, on, or auto, where its chat template takes tools",
    )
    function_calls: int = Field(3, ge=1, le=10, description="most calls for one question")
    own_functions: list[Literal["calculator", "dates"]] = Field(
        ["calculator", "dates"], description="functions of Tekio's own that can be called"
    )
    functions: list[Attachment] = Field(
        [],
        description="OpenAPI descriptions and MCP servers that are attached, a table [[functions]] each",
    )
    mcp_functions: list[str] = Field(
        ["search", "ask", "documents", "read"],
        description="what MCP clients are offered: search, ask, documents, read, and the functions of Tekio's own",
    )

    @field_validator("functions")
    @classmethod
    def _named_apart(cls, value: list[Attachment]) -> list[Attachment]:
        check_names(value)
        return value
