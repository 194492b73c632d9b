"""A facade that does as it is told, to force the faults and the timing that these tests are about."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, ClassVar, Unpack

import httpx
import pytest

from ingest.untaken import LeftOut
from kernel import app
from kernel.answer import (
    Answer,
    AnswerEvent,
    AnswerPassage,
    AskEvent,
    Citation,
    FinishReason,
    FoundBy,
    PassagesEvent,
    TokenEvent,
    TraceStep,
    Usage,
)
from kernel.answering.parts import check_multi_query
from kernel.app import Tekio
from kernel.asking import AskOptions
from kernel.conversation.history import PastTurn
from kernel.model_store import ModelStore
from kernel.settings import Settings
from retrieval.access import Caller
from retrieval.errors import IndexMissingError, UsageError
from retrieval.records import DocumentSummary, Passage
from tests.ui.serving import MRI, own_settings, served
from ui.cli import main

Run = Callable[..., tuple[int, str, str]]
"""Runs a command of `tekio`; gives exit code, standard output and standard error."""

PASSAGE_TEXT = (
    "Intro. The warranty lasts 24 months.\x1b[31m ![x](http://evil.example/p.png) <script>1</script>"
)
QUOTE = "The warranty lasts 24 months."


def make_answer(
    question: str = "How long?",
    text: str = "The warranty lasts 24 months [1]. It is gold.",
    *,
    refused: bool = False,
    language: str = "en",
    finish_reason: FinishReason = FinishReason.STOP,
) -> Answer:
    """An answer with one source, one unsupported sentence and one notice."""
    passage = AnswerPassage(
        id=7,
        document="man\x1b]0;owned\x07ual.pdf",
        title="Manual",
        page=3,
        text=PASSAGE_TEXT,
        score=0.9,
        headings=["Warranty"],
        start=100,
        end=100 + len(PASSAGE_TEXT),
        date="2024-05-06T07:08:09",
        found_by={"dense": FoundBy(rank=2, score=0.5, weight=0.4)},
    )
    citation = Citation(
        marker=1,
        document=passage.document,
        title="Manual",
        page=3,
        start=107,
        end=107 + len(QUOTE),
        quote=QUOTE,
        score=0.8,
    )
    return Answer(
        question=question,
        answer=text,
        refused=refused,
        confidence=0.7,
        citations=[] if refused else [citation],
        unsupported=[] if refused else ["It is gold."],
        variant="base",
        technique="zero_shot",
        language=language,
        notices=["another variant answered"],
        passages=[passage],
        usage=Usage(prompt_tokens=50, completion_tokens=9, passages_used=1),
        finish_reason=finish_reason,
        timings_ms={"total": 1234.0},
    )


class ScriptedTekio(app.Tekio):
    """Answers with what its class attributes say; counts what happens to it."""

    answer: Answer
    tokens: Sequence[str]
    error: Exception | None
    stuck: bool  # after the tokens the stream waits until it is cancelled
    has_index: bool
    opened: int
    asked: ClassVar[list[dict[str, object]]]
    cancelled: int
    repeats = False  # the answer names the question that was asked
    quoted: str | None  # what every span of a document reads

    def __init__(self, settings: Settings, *, on_message: Callable[[str], None] | None = None) -> None:
        super().__init__(settings, on_message=on_message)
        type(self).opened += 1
        if on_message is not None:
            on_message("a message for people")

    def ask_stream(self, question: str, **options: Unpack[AskOptions]) -> AsyncGenerator[AskEvent, None]:
        said: dict[str, object] = {
            name: options.get(name) for name in ("variant", "technique", "top_k", "language")
        }
        if where := options.get("where"):
            said["where"] = list(where)
        if (multi_query := options.get("multi_query")) is not None:
            said["multi_query"] = check_multi_query(multi_query)
        if history := options.get("history"):
            said["history"] = [turn if isinstance(turn, PastTurn) else PastTurn(*turn) for turn in history]
        known = {*said, "where", "multi_query", "history", "caller", "conversation", "follow_ups", "memory"}
        unsaid = {"cache": None, "trace": False}
        said |= {
            name: value
            for name, value in options.items()
            if name not in known and value is not None and value is not unsaid.get(name)
        }
        type(self).asked.append({"question": question, **said})
        events = self._events(options.get("variant"))
        return _repeating(events, question) if self.repeats else events

    async def _events(self, variant: str | None) -> AsyncGenerator[AskEvent, None]:
        if variant == "nonesuch":
            raise UsageError("no variant 'nonesuch'; known are base, extractive")
        answer = self.answer
        yield PassagesEvent(passages=answer.passages, variant="base", technique="zero_shot")
        try:
            for token in self.tokens:
                yield TokenEvent(text=token)
            if self.stuck:
                await asyncio.Event().wait()
            if self.error is not None:
                raise self.error
        except (asyncio.CancelledError, GeneratorExit):
            type(self).cancelled += 1
            raise
        yield AnswerEvent(answer=answer)

    async def search(
        self,
        query: str,
        *,
        top_k: int | None = None,
        where: Sequence[str] = (),
        mode: str = "hybrid",
        diversity: float | None = None,
        merge: bool | None = None,
        parent: bool | None = None,
        multi_query: str | None = None,
        caller: Caller | None = None,
        on_trace: Callable[[TraceStep], None] | None = None,
    ) -> list[Passage]:
        if self.error is not None:
            raise self.error
        chosen = {
            "diversity": diversity,
            "merge": merge,
            "parent": parent,
            "multi_query": check_multi_query(multi_query) if multi_query else None,
        }
        asked = {name: value for name, value in chosen.items() if value is not None}
        type(self).asked.append({"query": query, "where": list(where), **asked})
        return [
            Passage(
                id=7,
                document_id=1,
                document="manual.pdf",
                path="/secret/manual.pdf",
                title="Manual",
                page=3,
                start=100,
                end=100 + len(PASSAGE_TEXT),
                headings=("Warranty",),
                text=PASSAGE_TEXT,
                score=0.9,
                rank=1,
                similarity=0.9,
                also_in=("copy\x1b[31m.pdf",),
                parts={"how long is it?\x1b[31m": 2},
            )
        ]

    def documents(self, *, caller: Caller | None = None) -> list[DocumentSummary]:
        if not self.has_index:
            raise IndexMissingError("there is no index in nowhere yet: run `ingest PATH` first")
        return [
            DocumentSummary(
                id=1,
                document="manual ![x](http://evil.example/p.png).pdf",
                path="/secret/manual.pdf",
                title="Manual",
                format="pdf",
                language="en",
                pages=4,
                chunks=12,
                characters=900,
                outcome="ok",
                ingested_at="2025-01-01T00:00:00Z",
            )
        ]

    def left_out(self) -> LeftOut:
        return LeftOut()

    def quote(self, passage_id: int, start: int, end: int, *, caller: Caller | None = None) -> str | None:
        return self.quoted

    def suggestions(self, language: str, *, caller: Caller | None = None) -> list[str]:
        return ["What of ![x](http://evil.example/s.png) :material/home: $x^2$?"]

    def index_state(self) -> tuple[str, int] | None:
        return ("scripted", 1) if self.has_index else None

    def variants(self) -> list[str]:
        return ["base", "extractive"]

    async def warm_up(self) -> None:
        return None


async def _repeating(events: AsyncGenerator[AskEvent, None], question: str) -> AsyncGenerator[AskEvent, None]:
    async with aclosing(events):
        async for event in events:
            if event.type == "answer":
                event = AnswerEvent(answer=event.answer.model_copy(update={"question": question}))
            yield event


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> type[ScriptedTekio]:
    """Put a scripted facade in the place of the real one, in an empty working folder."""

    class Scripted(ScriptedTekio):
        answer = make_answer()
        tokens = ("The warranty ", "lasts \x1b[2J24 months [1]. It is gold.")
        error = None
        stuck = False
        has_index = True
        opened = 0
        asked: ClassVar[list[dict[str, object]]] = []
        cancelled = 0
        quoted = "Before."

    monkeypatch.setattr(app, "Tekio", Scripted)
    monkeypatch.chdir(tmp_path)
    for name in ("TEKIO_INDEX", "TEKIO_VARIANT", "TEKIO_TECHNIQUE", "TEKIO_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    return Scripted


@pytest.fixture(scope="session")
def library_place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the index and the uploads of `library` are."""
    return tmp_path_factory.mktemp("library")


@pytest.fixture(scope="session")
def library(library_place: Path, model_store: ModelStore) -> Iterator[str]:
    """The address of a real server in which everything may be done, over an index of its own; uploads of a megabyte.

    Whoever puts documents there takes them away again, but for what the fixture `mri` puts there.
    """
    own = own_settings(library_place, model_store, max_upload_mb=1, edit_examples=True, prometheus=True)
    with served(Tekio, own) as base:
        yield base


@pytest.fixture(scope="session")
def mri(library: str) -> dict[str, Any]:
    """A PDF that was uploaded there, as the server tells of it."""
    files = [("files", ("safety/mri.pdf", MRI.read_bytes()))]
    response = httpx.post(f"{library}/v1/documents", files=files, data={"tag": "ward=radiology"}, timeout=120)
    assert response.status_code == 201, response.text
    return dict(response.json()["files"][0])


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run commands in this process. A module that needs more around them has a fixture of this name over this one."""

    def call(*args: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(list(args))
        out, err = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, out, err

    return call
