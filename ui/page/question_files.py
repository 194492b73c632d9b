"""Questions that a form of the page is given: a field for a file of them, else what people said of answers."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import streamlit as st

from plugins.memory.feedback import Feedback
from retrieval.errors import UsageError
from ui.jobs.parts import MOST_ROWS
from ui.page.here import Here
from ui.page.uploader import uploader_box
from ui.plaintext import one_line

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

_MOST_MB = 20
_KINDS = ["jsonl"]


def question_file(here: Here, box: str, key: str) -> UploadedFile | None:
    """Draw the field for a file of questions within a form; return what it holds.

    Args:
        here: the page.
        box: key of the container of the field.
        key: of the field itself.
    """
    with uploader_box(here, box, _MOST_MB, _KINDS):
        return st.file_uploader(
            here.say("evaluation_file"),
            type=_KINDS,
            key=key,
            help=here.say("evaluation_file_help"),
            max_upload_size=_MOST_MB,
        )


def given_rows(here: Here, file: UploadedFile | None) -> list[dict[str, Any]]:
    """Return the questions of a file, without one those to which people approved an answer or gave the right one.

    Raises:
        UsageError: there are none, too many, or a line of the file is no question.
    """
    return rows_of(file.name, file.getvalue()) if file else rows_said(here.engine.feedback(here.caller))


def rows_of(name: str, data: bytes) -> list[dict[str, Any]]:
    """Return the questions of a file of JSON lines, checked as the evaluation itself checks them.

    Raises:
        UsageError: it cannot be read, a line of it is no question, or there are too many.
    """
    from evaluation.answers.reading.formats import read_questions
    from evaluation.answers.reading.rows import json_lines

    with TemporaryDirectory() as folder:
        path = Path(folder) / "questions.jsonl"
        path.write_bytes(data)
        try:
            read_questions(path)
            return _few([row for row, _ in json_lines(path)])
        except UsageError as error:
            raise UsageError(str(error).replace(str(path), one_line(name)[:100])) from error


def rows_said(said: list[Feedback]) -> list[dict[str, Any]]:
    """Return the questions to which people approved an answer or gave the right one, each once, its newest answer.

    Raises:
        UsageError: there are none, or too many.
    """
    newest = {row.question: row for row in sorted(said, key=lambda row: row.id) if row.approved}
    rows = [
        {"id": f"feedback-{row.id}", "question": row.question, "answer": row.approved}
        for row in newest.values()
    ]
    if not rows:
        raise UsageError("nobody has approved or corrected an answer yet: rate some, or take a file")
    return _few(rows)


def _few(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if len(rows) > MOST_ROWS:
        raise UsageError(
            f"these are {len(rows):,} questions; {MOST_ROWS:,} are the most: take a part of them"
        )
    return rows
