"""The project's own question files: JSON lines of id, question, answer or answers, document, page, answerable."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evaluation.answers.items import Item, QuestionSet, Span
from evaluation.answers.reading.rows import broken, json_lines
from retrieval.analysis import detect_language


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True)

    id: str | int
    question: Annotated[str, Field(min_length=1)]
    language: str | None = None
    answer: str = ""
    answers: list[str] = []
    document: str | None = None
    documents: list[str] = []
    page: int | None = None
    spans: list[tuple[Annotated[int, Field(ge=0)], int]] = Field(
        default=[], description="start and end in the text of the document; each alone is enough"
    )
    answerable: bool | None = None
    label: str | None = None
    where: list[str] = Field(default=[], description="filters of the search, such as tag.ward=icu")


def read_own(path: Path) -> QuestionSet:
    """Read a question file of the project's own form.

    Raises:
        UsageError: it cannot be read, or a line of it is broken; the line is named.
    """
    items = []
    for row, where in json_lines(path):
        try:
            found = _Row.model_validate(row)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(map(str, first["loc"]))
            raise broken(where, f"{field}: {first['msg'].lower()}") from error
        answers = tuple(text for text in dict.fromkeys((found.answer, *found.answers)) if text.strip())
        documents = tuple(name for name in dict.fromkeys((found.document, *found.documents)) if name)
        if found.answerable is None and not (answers or documents or found.label):
            raise broken(where, "nothing says what is expected: answer, document or answerable")
        if found.spans and len(documents) != 1:
            raise broken(where, "spans are of one document, which it does not name")
        if any(end <= start for start, end in found.spans):
            raise broken(where, "a span ends before it begins")
        items.append(
            Item(
                id=str(found.id),
                language=found.language or detect_language(found.question),
                question=found.question,
                answers=answers,
                answerable=found.answerable is not False,
                places=tuple((name, found.page) for name in documents),
                spans=tuple(Span(documents[0], start, end) for start, end in found.spans),
                label=found.label,
                group=documents[0] if documents else str(found.id),
                where=tuple(found.where),
            )
        )
    return QuestionSet(path.stem, "own", tuple(items))
