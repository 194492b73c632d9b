"""The rows of a training set, and the files that hold them.

Each is a line of JSON in the form that TRL's trainers read: a conversation has `messages`, a preference `prompt`,
`chosen` and `rejected` (each a list of messages), a text `text`. What else stands in a row says what it was made of.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from retrieval.errors import TekioError, UsageError

Kind = Literal["grounded", "refusal", "format", "tone", "qa", "chat", "approved", "preference", "text"]
_NAMED_LINES = 5


class Message(BaseModel):
    """A turn of a conversation."""

    model_config = ConfigDict(frozen=True)

    role: Literal["system", "user", "assistant"]
    content: str


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True)

    id: str = Field(description="names it within its set")
    kind: Kind
    language: str = "en"
    group: str = Field(
        "", description="the document, or what else stays together when a set is cut into parts"
    )
    source: str = Field("", description="the file, index or form that it came from")
    detail: str = Field(
        "", description="how it was made: short, removed, changed, the name of a shape or a tone"
    )


class ChatRow(_Row):
    """A conversation whose last turn, the assistant's, is learned."""

    expected: tuple[str, ...] = Field(
        (), description="short answers that are right, by which one is measured"
    )
    number: int | None = Field(None, description="of the passage that holds the answer")
    messages: Annotated[tuple[Message, ...], Field(min_length=2)]

    @model_validator(mode="after")
    def _ends_with_an_answer(self) -> ChatRow:
        last = self.messages[-1]
        if last.role != "assistant" or not last.content.strip():
            raise ValueError("the last message is no answer of the assistant")
        if not any(message.role == "user" for message in self.messages):
            raise ValueError("no message is the user's")
        return self

    @property
    def question(self) -> str:
        """The last thing that the user says."""
        return next(message.content for message in reversed(self.messages) if message.role == "user")

    @property
    def answer(self) -> str:
        """What is learned."""
        return self.messages[-1].content


class PairRow(_Row):
    """An answer that is preferred to another one."""

    kind: Kind = "preference"
    prompt: Annotated[tuple[Message, ...], Field(min_length=1)]
    chosen: Annotated[tuple[Message, ...], Field(min_length=1)]
    rejected: Annotated[tuple[Message, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _answers_differ(self) -> PairRow:
        for name, answer in (("chosen", self.chosen), ("rejected", self.rejected)):
            if answer[-1].role != "assistant" or not answer[-1].content.strip():
                raise ValueError(f"the {name} answer is empty, or not the assistant's")
        if self.chosen == self.rejected:
            raise ValueError("the chosen and the rejected answer are the same")
        return self

    @property
    def question(self) -> str:
        """The last thing that the user says."""
        return next((item.content for item in reversed(self.prompt) if item.role == "user"), "")

    @property
    def answer(self) -> str:
        """The preferred answer."""
        return self.chosen[-1].content


class TextRow(_Row):
    """A text of the domain, for continued training."""

    kind: Kind = "text"
    text: Annotated[str, Field(min_length=1)]

    @property
    def question(self) -> str:
        """Its text: what tells two rows apart."""
        return self.text

    @property
    def answer(self) -> str:
        """Nothing: the whole text is learned."""
        return ""


Row = ChatRow | PairRow | TextRow
FILES: dict[type[ChatRow] | type[PairRow] | type[TextRow], str] = {
    ChatRow: "chat.jsonl",
    PairRow: "preferences.jsonl",
    TextRow: "text.jsonl",
}
R = TypeVar("R", ChatRow, PairRow, TextRow)


def write_rows(path: Path, rows: Iterable[Row]) -> str:
    """Write rows as lines of JSON; return the SHA-256 of the file.

    Raises:
        TekioError: the file cannot be written.
    """
    text = "".join(row.model_dump_json() + "\n" for row in rows)
    data = text.encode("utf-8", "surrogatepass")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise TekioError(
            f"{path} cannot be written ({error.strerror}): free some space, or name another folder"
        ) from error
    return hashlib.sha256(data).hexdigest()


def read_rows(path: Path, kind: type[R]) -> list[R]:
    """Read the rows of one file of a training set.

    Raises:
        UsageError: the file cannot be read, or lines of it are broken; they are named.
    """
    rows: list[R] = []
    broken: list[str] = []
    lines: dict[str, int] = {}
    for number, value in numbered_lines(path):
        try:
            row = kind.model_validate(value)
            if row.id in lines:
                broken.append(f"line {number}: the id '{row.id}' stands in line {lines[row.id]} already")
            lines.setdefault(row.id, number)
            rows.append(row)
        except ValidationError as error:
            broken.append(f"line {number}: {reason_of(error)}")
    if broken:
        raise UsageError(f"{path} is no training set: {told(broken)}")
    return rows


def numbered_lines(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield what each line of a file of JSON lines holds, with its number, 1-based; empty lines are passed over.

    Raises:
        UsageError: the file cannot be read, or a line is no JSON.
    """
    try:
        text = path.read_text(encoding="utf-8-sig", errors="strict")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the training rows in {path} cannot be read: {error}") from error
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except ValueError as error:
                raise UsageError(f"{path}, line {number}: no JSON ({error})") from error


def told(broken: list[str]) -> str:
    """Return what is said of broken lines: the first of them, and how many more there are."""
    more = len(broken) - _NAMED_LINES
    return "; ".join(broken[:_NAMED_LINES]) + (f"; and {more} more" if more > 0 else "")


def reason_of(error: ValidationError) -> str:
    """Return what is wrong with a row, in a line."""
    first = error.errors()[0]
    field = ".".join(map(str, first["loc"]))
    reason = str(first["msg"]).removeprefix("Value error, ")
    return f"{field}: {reason.lower()}" if field else reason
