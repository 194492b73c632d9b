"""Jobs that fit what makes answers of others' answers: the rule of an ensemble, and a policy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from kernel.ensembles.settings import FITTED_RULES
from kernel.settings import Settings
from retrieval.errors import UsageError
from ui.jobs.parts import NAME, PATH, QuestionRows, Request, allowed, questions_file
from ui.jobs.records import JobsFolder

RUN_FILE = "run.json"
"""What an evaluation leaves in the folder of its job, with every answer."""
_JobId = Annotated[str, Field(pattern=r"^[0-9a-f]{24}$")]


class EnsembleJob(Request):
    """Fit the weights or the choice of an ensemble of the settings; it answers by them at once."""

    kind: Literal["ensemble"]
    name: str = Field(pattern=NAME, max_length=100, description="of the ensemble")
    questions: str = Field("", max_length=1000, description=f"a file of questions with answers: {PATH}")
    rows: QuestionRows = Field([])
    limit: int | None = Field(None, ge=1, le=100_000, description="takes the first so many")
    without_documents: bool = Field(
        False,
        description="each answerable question once more without documents, where a refusal is right; not of a mixture",
    )


class PolicyJob(Request):
    """Train a policy of the settings on recorded answers; it does not serve by that."""

    kind: Literal["policy"]
    name: str = Field(pattern=NAME, max_length=100, description="of the policy")
    evaluations: list[_JobId] = Field(
        [], max_length=50, description="ids of evaluations among the jobs, with answers by its actions"
    )
    runs: list[Annotated[str, Field(max_length=1000)]] = Field(
        [], max_length=50, description=f"files that `tekio evaluate answers --out` wrote: {PATH}"
    )
    feedback: bool = Field(
        False, description="in place of recorded answers, what it decided and what people said of it"
    )
    steps: int = Field(1500, ge=1, le=1_000_000)
    seed: int = Field(0, ge=0, le=2**31)
    anew: bool = Field(False, description="from nothing, not from where the last training ended")


def fit_ensemble(request: EnsembleJob, folder: Path, settings: Settings) -> list[str]:
    """Return the command that fits an ensemble.

    Raises:
        UsageError: there is no such ensemble, nothing of it can be fitted, or its questions are not there.
    """
    told = settings.ensembles.get(request.name)
    if told is None:
        known = ", ".join(settings.ensembles) or "none"
        raise UsageError(f"there is no ensemble {request.name!r} in the settings; there are: {known}")
    if told.rule not in FITTED_RULES:
        raise UsageError(f"the rule {told.rule} of {request.name!r} has nothing to be fitted")
    questions = questions_file(request.questions, request.rows, folder, settings.job_roots)
    command = ["adapt", "ensemble", "--json", f"--questions={questions}"]
    command += [f"--limit={request.limit}"] if request.limit else []
    command += ["--without-documents"] if request.without_documents else []
    return [*command, "--", request.name]


def train_policy(request: PolicyJob, settings: Settings) -> list[str]:
    """Return the command that trains a policy.

    Raises:
        UsageError: there is no such policy, nothing to learn from is named, or it is not there.
    """
    from kernel.policies.making import policy_settings  # takes longer to import than clients should wait

    policy_settings(request.name, settings)
    sources = [_run_of(each, settings) for each in request.evaluations]
    sources += [allowed(each, settings.job_roots) for each in request.runs]
    if request.feedback == bool(sources):
        raise UsageError("say what to learn from: evaluations, runs, or feedback")
    command = ["adapt", "policy", "train", "--json", *(f"--from={source}" for source in sources)]
    command += ["--feedback"] if request.feedback else []
    command += [f"--steps={request.steps}", f"--seed={request.seed}", *(["--anew"] if request.anew else [])]
    return [*command, "--", request.name]


def _run_of(job_id: str, settings: Settings) -> Path:
    found = JobsFolder(settings.jobs).of(job_id)
    if found is None or not (found.folder / RUN_FILE).is_file():
        raise UsageError(f"there is no evaluation {job_id} among the jobs that left answers")
    return found.folder / RUN_FILE
