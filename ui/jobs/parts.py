"""What the requests of jobs have in common: how they are checked, and what they may read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from retrieval.errors import UsageError

NAME = r"^[\w][\w.-]*$"
PATH = "a folder or file below one of the setting job_roots; relative to the first of them that has it"
MOST_ROWS = 2000
"""Questions that a job may be given in place of a file."""
NameList = list[Annotated[str, Field(pattern=NAME, max_length=100)]]
QuestionRows = Annotated[
    list[dict[str, Any]],
    Field(
        max_length=MOST_ROWS,
        description="the questions, in place of a file: id, language, question, answer, document, page, answerable",
    ),
]


class Request(BaseModel):
    """What a job is asked for with."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


def allowed(given: str, roots: Sequence[Path]) -> Path:
    """Return a path that jobs may read, without links in it.

    Raises:
        UsageError: there is none of this name below the roots; whether it is elsewhere is not told.
    """
    if not roots:
        raise UsageError("jobs may read no folders here: the operator names some in the setting job_roots")
    for root in roots:
        base = root.expanduser().resolve()
        try:
            path = (base / given).resolve(strict=True)
        except (OSError, ValueError, RuntimeError):
            continue
        if path.is_relative_to(base):
            return path
    raise UsageError(f"there is no {given[:200]!r} below the folders that jobs may read (setting job_roots)")


def questions_file(given: str, rows: Sequence[dict[str, Any]], folder: Path, roots: Sequence[Path]) -> Path:
    """Return the file of the questions of a job; rows are written into its folder.

    Raises:
        UsageError: both a file and rows are given, or neither; or there is no such file below the roots.
    """
    if bool(given) == bool(rows):
        raise UsageError("give a file of questions or rows, one of them")
    if given:
        return allowed(given, roots)
    path = folder / "questions.jsonl"
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
