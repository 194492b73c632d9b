"""`/v1/examples`: the worked examples over the API, where the setting `edit_examples` allows it.

They hold text of documents, and what is added is shown in prompts; so it is off unless the operator turns it on.
Where users are told apart, each sees and adds their own, and those of everyone are not theirs to delete.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field

from kernel.answer import Answer
from retrieval.access import Caller
from retrieval.errors import UsageError
from ui.identity import caller_in

if TYPE_CHECKING:  # the client takes the models of this module, and is not to load an engine
    from kernel.app import Tekio


class ExampleRequest(BaseModel):
    """An example: its fields, or an answer that is approved."""

    model_config = ConfigDict(extra="forbid")

    question: str | None = Field(None, max_length=4000)
    passages: list[str] | None = Field(None, max_length=10)
    answer: str | None = Field(None, max_length=4000, description="cites the passages, as in [1]")
    reasoning: str | None = Field(None, max_length=4000, description="the steps before the answer")
    language: str | None = Field(None, description="`en` or `ja`; the question's own unless given")
    from_answer: Answer | None = Field(None, description="an answer of /v1/ask that is approved")


class ExampleView(BaseModel):
    """An example."""

    id: str
    language: str
    question: str
    passages: list[str]
    reasoning: str
    answer: str
    origin: str = Field(description="`shipped`, `added`, or `answer` for an approved one")
    owner: str = Field(description="in whose questions alone it is shown; empty for everyone's")
    added_at: str


class ExamplesResponse(BaseModel):
    """The examples that the caller sees."""

    examples: list[ExampleView]


def add_example_routes(app: FastAPI, tekio: Tekio, errors: dict[int | str, dict[str, Any]]) -> None:
    """Add the addresses."""
    responses = {**errors, 403: {"description": "the setting edit_examples is off, or the user is not named"}}

    def caller(request: Request, *, named: bool = False) -> Caller | None:
        if not tekio.settings.edit_examples:
            raise HTTPException(
                403, "examples are not open to the API here: the setting edit_examples is off"
            )
        found = caller_in(request)
        if named and found is not None and not found.user and not found.owns:
            raise HTTPException(403, "who changes examples must be named")
        return found

    @app.get("/v1/examples", responses=responses, tags=["examples"])
    async def examples(request: Request) -> ExamplesResponse:
        """List the worked examples that the caller sees."""
        who = caller(request)
        stored = await run_in_threadpool(lambda: tekio.examples.examples(caller=who))
        return ExamplesResponse(examples=[ExampleView.model_validate(item.as_dict()) for item in stored])

    @app.post("/v1/examples", responses=responses, tags=["examples"], status_code=201)
    async def add_example(body: ExampleRequest, request: Request) -> ExampleView:
        """Add a worked example, of fields or of an approved answer."""
        who = caller(request, named=True)
        fields = body.model_dump(exclude_none=True, exclude={"from_answer"})
        if bool(fields) == (body.from_answer is not None):
            raise UsageError("give the fields of an example, or from_answer alone")

        def keep() -> ExampleView:
            if body.from_answer is not None:
                stored, _ = tekio.examples.approve(body.from_answer, caller=who)
            else:
                stored, _ = tekio.examples.add(fields, caller=who)
            return ExampleView.model_validate(stored.as_dict())

        return await run_in_threadpool(keep)

    @app.delete("/v1/examples/{key}", responses=responses, tags=["examples"], status_code=204)
    async def delete_example(key: str, request: Request) -> None:
        """Delete a worked example by its id."""
        who = caller(request, named=True)
        await run_in_threadpool(lambda: tekio.examples.delete(key, caller=who))
