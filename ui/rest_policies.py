"""`/v1/policies`: how policies stand, put to serve and taken out. For whoever runs the service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Body, FastAPI, Path
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field

from kernel.policies.making import policy_folder
from kernel.policies.serving import PolicyState, activate, policy_state
from retrieval.errors import NotFoundError
from ui.rest_models import ErrorResponse

if TYPE_CHECKING:
    from kernel.app import Tekio

_NAME = Annotated[
    str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$", description="`policy` of one in /v1/policies")
]


class PoliciesResponse(BaseModel):
    """The policies of the settings."""

    policies: list[PolicyState]


class ActivateRequest(BaseModel):
    """How a policy is put to serve."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    force: bool = Field(False, description="though it is not shown to be better than the safe default")


def add_policy_routes(app: FastAPI, tekio: Tekio, errors: dict[int | str, dict[str, Any]]) -> None:
    """Add the addresses."""
    settings = tekio.settings
    one = {**errors, 404: {"model": ErrorResponse, "description": "there is no such policy"}}

    def known(name: str) -> str:
        if name not in settings.policies:
            raise NotFoundError("there is no such policy; /v1/policies lists those that there are")
        return name

    def take_out(name: str) -> PolicyState:
        policy_folder(known(name), settings).rollback()
        return policy_state(name, settings)

    def put(name: str, *, force: bool) -> PolicyState:
        activate(known(name), settings, force=force)
        return policy_state(name, settings)

    @app.get("/v1/policies", responses=errors, tags=["policies"])
    async def policies() -> PoliciesResponse:
        """List the policies of the settings: which serves, which was trained last, and what each is worth."""

        def states() -> list[PolicyState]:
            return [policy_state(name, settings) for name in settings.policies]

        return PoliciesResponse(policies=await run_in_threadpool(states))

    @app.get("/v1/policies/{name}", responses=one, tags=["policies"])
    async def policy(name: _NAME) -> PolicyState:
        """Show one of them."""
        return await run_in_threadpool(lambda: policy_state(known(name), settings))

    @app.post("/v1/policies/{name}/activate", responses=one, tags=["policies"])
    async def put_to_serve(name: _NAME, body: Annotated[ActivateRequest, Body()]) -> PolicyState:
        """Let the policy that was trained last serve, if it is better than the safe default beyond chance."""
        return await run_in_threadpool(lambda: put(name, force=body.force))

    @app.post("/v1/policies/{name}/rollback", responses=one, tags=["policies"])
    async def rollback(name: _NAME) -> PolicyState:
        """Take the policy that serves out; the one before serves again, or the safe default."""
        return await run_in_threadpool(take_out, name)
