"""What a run of the lab has reached, kept beside the model that it makes, so that it can go on after a kill."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from retrieval.errors import TekioError, UsageError

_PLAN = "plan.json"
_ENDING = ".making"
_WORK = re.compile(r"\.(.+)\.(?:making|training|search)")
"""The names of work folders: of this module, of trainings, and of searches."""


def digest_of(**told: Any) -> str:
    """Return what tells two runs apart, so that none goes on as another."""
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


def work_of(out: Path) -> Path:
    """Return where the work folder of a model is that is made in the folder `out`."""
    return out.parent / f".{out.name}{_ENDING}"


def is_stopped(out: Path) -> bool:
    """Say whether a run that makes a model was stopped before its end."""
    return (work_of(out) / _PLAN).is_file()


def stopped_runs(folder: Path) -> dict[str, Path]:
    """Return, by what they make, the work folders of runs in a folder that were stopped or are under way."""
    found = {work: _WORK.fullmatch(work.name) for work in sorted(folder.glob(".*")) if work.is_dir()}
    return {match[1]: work for work, match in found.items() if match is not None and any(work.iterdir())}


def begin_work(out: Path, digest: str, *, resume: bool, force: bool) -> Path:
    """Return the work folder of a model that is made in the folder `out`: made anew, or the one that goes on.

    Raises:
        UsageError: a run was stopped and nothing is said of it; there is none to go on with; or that was another one.
        TekioError: it cannot be written.
    """
    work = work_of(out)
    file = work / _PLAN
    held = _read(file)
    if resume:
        if held is None:
            raise UsageError(f"no run that makes '{out.name}' was stopped: leave out --resume")
        if held.get("digest") != digest:
            raise UsageError(
                f"the run of '{out.name}' that was stopped had another model, set or numbers: give the same ones, or "
                "--force in place of --resume"
            )
        return work
    if held is not None and not force:
        raise UsageError(
            f"a run that makes '{out.name}' was stopped before its end: --resume goes on with it, --force begins anew"
        )
    try:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        file.write_text(json.dumps({"digest": digest}) + "\n", encoding="utf-8")
    except OSError as error:
        raise TekioError(f"{work} cannot be written ({error.strerror or error}): free some space") from error
    return work


@contextmanager
def working(out: Path, digest: str, *, resume: bool, force: bool) -> Iterator[Path]:
    """Give the work folder of a model, see `begin_work`; take it away at the end, or where wrong use left it empty."""
    work = begin_work(out, digest, resume=resume, force=force)
    try:
        yield work
    except UsageError:
        if [path.name for path in work.iterdir()] == [_PLAN]:
            end_work(work)
        raise
    end_work(work)


def end_work(work: Path) -> None:
    """Take the folder away, once what was made is kept."""
    shutil.rmtree(work, ignore_errors=True)


def _read(file: Path) -> Mapping[str, Any] | None:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
