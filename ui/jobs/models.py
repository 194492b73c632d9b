"""What the addresses of jobs give."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field


class JobProgress(BaseModel):
    """How far a job is, where that is known."""

    done: int
    total: int
    message: str = ""
    loss: float | None = Field(None, description="of a training, as what follows")
    held_out: float | None = None
    reward: float | None = None
    seconds_left: float | None = None


class JobView(BaseModel):
    """A job. It outlives the server that started it."""

    id: str
    kind: Literal["ingest", "fine_tune", "evaluation", "ensemble", "policy"]
    state: Literal["running", "succeeded", "partial", "failed", "cancelled", "interrupted"] = Field(
        description="`partial`: part of the work failed, the result says which; `interrupted`: its process is gone"
    )
    created_at: str
    started_at: str | None
    ended_at: str | None
    by: str = Field(description="the user who started it; empty where users are not told apart")
    options: dict[str, Any]
    progress: JobProgress | None
    message: str = Field(description="the last line that it said")
    exit_code: int | None


class JobWithResult(JobView):
    """A job with what it gave."""

    result: Any = Field(
        None, description="the JSON of its command, after its end: a report, a card or figures"
    )


class JobsResponse(BaseModel):
    """The jobs, the newest first."""

    jobs: list[JobView]
