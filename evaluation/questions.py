"""Question files: JSON lines of id, language, question, answer, document, page, answerable."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from retrieval.errors import UsageError


class Question(BaseModel):
    """A question with what is expected; `document` is the name that answers cite, `page` is 1-based."""

    model_config = ConfigDict(frozen=True)

    id: str
    language: str
    question: str
    answer: str = ""
    document: str | None = None
    page: int | None = None
    answerable: bool


def load_questions(path: Path) -> list[Question]:
    """Read a question file.

    Raises:
        UsageError: it is missing, empty, or a line of it is broken; the line is named.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the questions in {path}: {error}") from error
    questions = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            questions.append(Question.model_validate(json.loads(line)))
        except (ValueError, ValidationError) as error:
            reason = str(error).splitlines()[0]
            raise UsageError(f"{path}, line {number}: not a question ({reason})") from error
    if not questions:
        raise UsageError(f"{path} holds no questions")
    return questions


def folded(text: str) -> str:
    """Fold what does not matter when an answer is looked for in a text: width, case and white space."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)).casefold()
