"""What the API takes and gives; the answer itself is `kernel.answer.Answer`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from kernel.composed.describing import VariantDescription
from ui.views import DocumentView, PassageView

WHERE = (
    "filters that must all hold: FIELD, then =, !=, <, <=, >, >=, ~ or !~ (a pattern with *), then a value, or "
    'FIELD in ["ONE", "TWO"] for one of several; FIELD is '
    "document, path, title, language, format, created, modified, page, author or tag.NAME"
)

MULTI = (
    "how the parts of a question of several are found, which are searched for as well: `off`, `rules`, or `model`; "
    "else the setting"
)


def events_described(description: str, events: Mapping[str, str]) -> dict[str, Any]:
    """Return the declaration of a response that may be server-sent events, with what each event's data are."""
    told = "; ".join(f"`{name}`: {data}" if name else data for name, data in events.items())
    fields: dict[str, Any] = {"data": {"type": "string", "description": told}, "id": {"type": "string"}}
    required = ["data"]
    if any(events):
        fields["event"] = {"enum": list(events)}
        required.append("event")
    schema = {"type": "object", "description": "an event", "properties": fields, "required": required}
    return {"description": description, "content": {"text/event-stream": {"schema": schema}}}


class _Request(BaseModel):
    # A misspelt field is a mistake to be told, not to be passed over. What was sent stays out of logs.
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class TurnModel(_Request):
    """A question that was asked before, with its answer."""

    question: str
    answer: str = ""
    asked: str = Field("", description="the question as it was made to stand alone: `asked` of its answer")


class AskRequest(_Request):
    """A question."""

    question: str = Field(description="at most 8,000 characters", examples=["How long is the warranty?"])
    # A name, not a path: a client must not make the server open folders of its choice.
    variant: str | None = Field(
        None, pattern=r"^[\w][\w.-]*$", max_length=100, description="who answers; see /v1/variants"
    )
    technique: str | None = Field(None, description="how the prompt is built; see /v1/variants")
    top_k: int | None = Field(None, ge=1, le=100, description="passages to retrieve")
    language: str | None = Field(None, description="`en` or `ja`; the question's own unless given")
    where: list[str] = Field([], max_length=20, description=WHERE, examples=[["language=ja"]])
    multi_query: str | None = Field(None, description=MULTI)
    strict: bool | None = Field(
        None,
        description="true: leave out sentences that no passage supports, rather than mark them; else the setting",
    )
    max_new_tokens: int | None = Field(None, ge=1, description="longest answer; at most the setting")
    max_prompt_tokens: int | None = Field(None, ge=1, description="longest prompt; at most the setting")
    cache: bool = Field(True, description="false: answer anew, whatever is stored, and store nothing")
    history: list[TurnModel] = Field(
        [],
        description="the turns before the question, oldest first, at most 2,000; else those kept of `conversation`",
    )
    conversation: str = Field(
        "",
        max_length=200,
        description="its name, of the client's choice: the question follows the caller's own turns of it, what is "
        "remembered for it alone is recalled, and the turn is kept there, see /v1/conversations; where nobody is "
        "known whose it would be, a notice of the answer says that it is not",
    )
    follow_ups: str | None = Field(
        None,
        description="how a question that leans on the turns before it is made to stand alone: `off`, `rules` or "
        "`model`; else the setting",
    )
    memory: bool = Field(True, description="false recalls nothing that is remembered")
    samples: int | None = Field(
        None, ge=1, le=10, description="drafts to write and to vote on; for chain_of_thought and hybrid"
    )
    functions: bool | None = Field(
        None, description="whether the model may call functions; else as the setting function_calling says"
    )
    stream: bool = Field(
        False, description="true: events `passages`, `token`, `citation`, `answer`, then `done` or `error`"
    )


class SearchRequest(_Request):
    """A search."""

    query: str
    top_k: int | None = Field(None, ge=1, le=100, description="passages to return")
    mode: str = Field("hybrid", description="`hybrid`, or one leg alone: `dense` or `keyword`")
    diversity: float | None = Field(
        None, ge=0, le=1, description="how much passages unlike each other are preferred; else the setting"
    )
    merge: bool | None = Field(None, description="make one passage of neighbours; else the setting")
    parent: bool | None = Field(
        None, description="show passages with what stands around them in their section; else the setting"
    )
    multi_query: str | None = Field(None, description=MULTI)
    explain: bool = Field(
        False, description="true: tell what each leg, and each part of the query, made of each passage"
    )
    where: list[str] = Field([], max_length=20, description=WHERE, examples=[["language=ja"]])


class SearchResponse(BaseModel):
    """The nearest passages, best first."""

    passages: list[PassageView]


class Counts(BaseModel):
    """What the index holds."""

    documents: int
    chunks: int


class DocumentsResponse(BaseModel):
    """The documents of the index, or some of them."""

    documents: list[DocumentView]
    total: int = Field(
        description="how many there are that were looked for, of which `documents` may be a part"
    )
    counts: Counts = Field(description="all that the caller may read, whatever was looked for")


class VariantsResponse(BaseModel):
    """Who can answer, and how prompts can be built."""

    variants: list[str]
    details: list[VariantDescription] = Field(
        [], description="what each of them is, in the same order: its kind, and whom a composed one asks"
    )
    techniques: list[str]
    default_variant: str
    default_technique: str


class Health(BaseModel):
    """How the service stands. It works without an index, but cannot answer yet."""

    status: Literal["ok", "no_index", "degraded"]
    index_present: bool
    counts: Counts
    models: Literal["not_loaded", "loading", "loaded", "failed"]


class Readiness(BaseModel):
    """Whether questions are answered at once."""

    ready: bool
    missing: list[str] = Field(description="what is not there yet: the index, or what is still being loaded")
    message: str = Field("", description="why it is not, where that is known")


class ErrorDetail(BaseModel):
    """What went wrong, in one line that says what to do."""

    type: str = Field(examples=["usage"])
    message: str
    retry_after: int | None = Field(
        None, description="seconds after which to ask again, of an error that passes"
    )
    param: str | None = Field(None, description="the part of the request that is wrong, where that is known")


class ErrorResponse(BaseModel):
    """Every error of the API, as problem details (RFC 9457)."""

    type: str = Field(description="kind of problem, an address", examples=["/docs#problem-usage"])
    title: str = Field(description="the kind in words")
    status: int
    detail: str = Field(description="what happened this time, in one line")
    remedy: str = Field(description="what to do about it")
    error: ErrorDetail = Field(description="the same as clients knew it before problem details")
