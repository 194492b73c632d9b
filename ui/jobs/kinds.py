"""What jobs can be asked for, and the commands that do them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from kernel.settings import Settings
from retrieval.errors import UsageError
from retrieval.filter_text import parse_tags
from ui.jobs.fits import RUN_FILE, EnsembleJob, PolicyJob, fit_ensemble, train_policy
from ui.jobs.parts import NAME, PATH, NameList, QuestionRows, Request, allowed, questions_file


class IngestJob(Request):
    """Bring the index in step with folders."""

    kind: Literal["ingest"]
    paths: list[str] = Field([], max_length=100, description=f"{PATH}; none: the uploads, to be read anew")
    tags: list[str] = Field([], max_length=50, description="KEY=VALUE for every document")
    ocr: bool | None = Field(
        None, description="read pages without text by text recognition; else the setting"
    )
    prune: bool | None = Field(
        None, description="true: take out what is gone also from an emptied folder; false: never"
    )


class FineTuneJob(Request):
    """Train an adapter, which is a variant afterwards."""

    kind: Literal["fine_tune"]
    name: str = Field(pattern=NAME, max_length=100, description="of the adapter")
    data: str = Field(
        "", max_length=1000, description=f"a training set: {PATH}; empty: made of the index first"
    )
    made_up: int = Field(
        300, ge=0, le=100_000, description="questions to make of the index, where a set is made"
    )
    rehearse: int | None = Field(
        None,
        ge=0,
        le=2000,
        description="general requests to learn with the base's own answers in a set that is made",
    )
    feedback: bool = Field(True, description="answers that people rated go into a set that is made")
    method: str = Field("lora", pattern=NAME, max_length=40, description="`tekio adapt methods` lists them")
    epochs: float = Field(2.0, gt=0, le=100)
    steps: int = Field(0, ge=0, le=1_000_000, description="in place of epochs")
    rank: int = Field(16, ge=1, le=1024)
    rate: float | None = Field(None, gt=0, le=1, description="learning rate; the method's own unless given")
    measure: int = Field(
        40, ge=0, le=10_000, description="held-out rows that base and adapter are asked at the end"
    )
    force: bool = Field(
        False,
        description="replace an adapter of this name, which is kept to roll back to, and begin anew where one of "
        "its trainings was cancelled",
    )
    seed: int = Field(0, ge=0, le=2**31)


class EvaluationJob(Request):
    """Ask a set of questions of variants and measure the answers."""

    kind: Literal["evaluation"]
    questions: str = Field("", max_length=1000, description=f"a file of questions: {PATH}")
    rows: QuestionRows = Field([])
    variants: NameList = Field([], max_length=10, description="the setting's unless given")
    techniques: NameList = Field([], max_length=10, description="the setting's unless given")
    limit: int | None = Field(None, ge=1, le=100_000, description="takes the first so many")


AnyJob = IngestJob | FineTuneJob | EvaluationJob | EnsembleJob | PolicyJob
JobRequest = Annotated[AnyJob, Field(discriminator="kind")]


def commands_of(request: AnyJob, folder: Path, settings: Settings) -> list[list[str]]:
    """Return the commands that do a job, one after the other, as arguments of `tekio`.

    Args:
        request: what is asked for.
        folder: of the job, into which what it needs is written.
        settings: of the server.

    Raises:
        UsageError: it names what is not there, or not below a folder that jobs may read.
    """
    if isinstance(request, IngestJob):
        return [_ingest(request, settings)]
    if isinstance(request, FineTuneJob):
        return _fine_tune(request, folder, settings)
    if isinstance(request, EnsembleJob):
        return [fit_ensemble(request, folder, settings)]
    if isinstance(request, PolicyJob):
        return [train_policy(request, settings)]
    return [_evaluation(request, folder, settings)]


def _ingest(request: IngestJob, settings: Settings) -> list[str]:
    parse_tags(request.tags)
    if request.paths:
        paths = [allowed(path, settings.job_roots) for path in request.paths]
    else:
        paths = [settings.uploads_folder.absolute()]
        if not paths[0].is_dir():
            raise UsageError("nothing was uploaded yet that could be read anew: name paths")
    flags = {"ocr": request.ocr, "prune": request.prune}
    switches = [
        f"--{name}" if value else f"--no-{name}" for name, value in flags.items() if value is not None
    ]
    tags = [f"--tag={tag}" for tag in request.tags]
    return ["ingest", "--json", *switches, *tags, "--", *map(str, paths)]


def _fine_tune(request: FineTuneJob, folder: Path, settings: Settings) -> list[list[str]]:
    commands: list[list[str]] = []
    if request.data:
        data = allowed(request.data, settings.job_roots)
    else:
        data = folder / "set"
        made = ["adapt", "dataset", "--json", f"--out={data}", f"--made-up={request.made_up}"]
        made += [] if request.rehearse is None else [f"--rehearse={request.rehearse}"]
        commands.append([*made, *(["--feedback"] if request.feedback else [])])
    options = {
        "name": request.name,
        "data": data,
        "method": request.method,
        "epochs": request.epochs,
        "steps": request.steps,
        "rank": request.rank,
        "rate": request.rate,
        "measure": request.measure,
        "seed": request.seed,
    }
    given = [f"--{name}={value}" for name, value in options.items() if value is not None]
    return [*commands, ["adapt", "train", "--json", *given, *(["--force"] if request.force else [])]]


def _evaluation(request: EvaluationJob, folder: Path, settings: Settings) -> list[str]:
    questions = questions_file(request.questions, request.rows, folder, settings.job_roots)
    command = ["evaluate", "answers", "--json", f"--questions={questions}", f"--out={folder / RUN_FILE}"]
    for name, values in (("variants", request.variants), ("techniques", request.techniques)):
        command += [f"--{name}={','.join(values)}"] if values else []
    return [*command, *([f"--limit={request.limit}"] if request.limit else [])]
