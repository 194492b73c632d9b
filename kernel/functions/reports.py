"""What is told of the functions that can be called: the JSON of `tekio functions`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from kernel.functions.calling import Toolbox
    from plugins.external.attached import AttachedState
    from plugins.external.offered import OfferedFunction


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class FunctionReport(_Frozen):
    """A function that can be called."""

    name: str = Field(description="plugin and function, as in calculator-calculate")
    description: str
    parameters: dict[str, Any] = Field(description="JSON Schema of the arguments")
    callable_by_model: bool = Field(
        description="false where its schema is beyond what generation can be held to"
    )


class AttachmentReport(_Frozen):
    """How an attachment stands."""

    name: str
    kind: str
    where: str
    works: bool
    error: str = Field(description="why it does not work, else empty")
    functions: list[FunctionReport] = Field(description="what is allowed and there")
    missing: list[str] = Field(description="what is allowed but not there")
    unusable: dict[str, str] = Field(description="what is allowed but cannot be used, with the reason")
    not_allowed: list[str] = Field(description="what is there but not allowed")
    ms: float = Field(description="time that connecting took")


class FunctionsReport(_Frozen):
    """Everything that can be called."""

    calling: str = Field(description="whether, and why, the language model calls functions")
    own: list[FunctionReport] = Field(description="Tekio's own functions")
    attached: list[AttachmentReport]

    @property
    def works(self) -> bool:
        """Say whether every attachment works, with all that is allowed of it."""
        return all(each.works and not each.missing and not each.unusable for each in self.attached)


async def report_functions(toolbox: Toolbox, calling: str) -> FunctionsReport:
    """Connect what is attached, and tell how everything stands."""
    states = await toolbox.states()
    return FunctionsReport(
        calling=calling,
        own=[_function(each) for each in toolbox.own()],
        attached=[_attachment(each) for each in states],
    )


def _attachment(state: AttachedState) -> AttachmentReport:
    return AttachmentReport(
        name=state.attachment.name,
        kind=state.attachment.kind,
        where=state.attachment.where,
        works=not state.error,
        error=state.error,
        functions=[_function(each) for each in state.functions],
        missing=list(state.missing),
        unusable=dict(state.unusable or {}),
        not_allowed=list(state.others),
        ms=state.ms,
    )


def _function(function: OfferedFunction) -> FunctionReport:
    from kernel.functions.call_grammar import can_be_written

    return FunctionReport(
        name=function.full_name,
        description=function.description,
        parameters=dict(function.parameters),
        callable_by_model=can_be_written(function),
    )
