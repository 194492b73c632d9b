"""Summaries of a text, and facts read out of it by a schema, as they are made of documents."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from ingest.sentences import split_sentences
from kernel.answer import Answer
from kernel.answering.citations import join_sentences
from kernel.documents.extracting import extract
from kernel.documents.reading import Material
from kernel.documents.schema import Schema
from kernel.documents.tasks import DocumentTasks
from kernel.pipelines.pieces import pieces_of
from kernel.pipelines.values import Made, is_plain_refusal, without_markers
from kernel.pipelines.work import Work
from retrieval.errors import TekioError
from retrieval.records import DocumentSummary, Passage

_PIECE = 900
"""Characters of a piece of a text, which is to a text what a passage is to a document."""
_NAME = "text"


@dataclass(frozen=True, slots=True)
class TextTasks(DocumentTasks):
    """What can be done with a text that is no document of the index; it is read as a document of one's own would be."""

    text: str = ""

    async def read(self, names: Sequence[str]) -> tuple[list[DocumentSummary], Material]:
        """Return the text, whatever is named."""
        about = DocumentSummary(
            id=-1,
            document=_NAME,
            path="",
            title="",
            format="text",
            language=None,
            pages=None,
            chunks=0,
            characters=len(self.text),
            outcome="ok",
            ingested_at="",
        )
        return [about] * len(names), await self.found("", 0)

    async def found(self, words: str, count: int) -> Material:
        """Return the whole text, whatever is looked for."""
        return await asyncio.to_thread(lambda: Material.of(passages_of(self.text)))


def passages_of(text: str) -> list[Passage]:
    """Return a text as passages."""
    passages: list[Passage] = []
    start = 0
    for number, piece in enumerate(pieces_of(text, len, _PIECE)):
        start = text.index(piece.text, start)
        passages.append(
            Passage(
                id=-1 - number,
                document_id=-1,
                document=_NAME,
                path="",
                title="",
                page=None,
                start=start,
                end=start + len(piece.text),
                headings=(),
                text=piece.text,
                score=0.0,
                rank=number + 1,
                similarity=0.0,
            )
        )
        start += len(piece.text)
    return passages


async def examined(work: Work) -> Material:
    """Return the input as passages, without what is addressed to a language model; note where something was.

    Raises:
        TekioError: nothing else is in it.
    """
    material = await asyncio.to_thread(lambda: Material.of(passages_of(work.text)))
    if material.shown != material.passages:
        work.notice("addressed", work.language)
    if not any(character.isalnum() for passage in material.passages for character in passage.text):
        raise TekioError("nothing is left of the text without what is addressed to a language model")
    return material


async def summarise(work: Work) -> Made:
    """Summarise a text: of what a model writes, the sentences that the text supports; else sentences of its own.

    A text that has no more sentences than the summary may have is its own summary, and so is a refusal to answer.
    """
    if all(isinstance(each.value, Answer) and is_plain_refusal(each.value) for each in work.inputs):
        return _said(work, work.text)
    material = await examined(work)
    read = [
        passage.text[start:end]
        for passage in material.passages
        for start, end in split_sentences(passage.text)
    ]
    if len(read) <= work.step.length:
        return _said(work, join_sentences(read))
    made = await _tasks(work).summarize(
        _NAME,
        sentences=work.step.length,
        variant=work.variant.name,
        chosen=work.step.anyway,
        language=None,
        on_progress=lambda done, total: None,
    )
    _note(work, made.notices, made.usage.prompt_tokens, made.usage.completion_tokens)
    work.finish_reason = made.finish_reason
    text = without_markers(made.summary)
    spans = split_sentences(text)[: work.step.length]
    return _said(work, text[: spans[-1][1]] if spans else join_sentences(read[: work.step.length]))


def _said(work: Work, text: str) -> Made:
    if not text.strip():
        raise TekioError("the text holds no sentence that could stand in a summary")
    work.hear(text)
    return Made("text", text)


async def read_out(work: Work) -> Made:
    """Read facts out of a text as an object that follows the schema of the step.

    Raises:
        TekioError: the text gives too little for the schema; names the property.
    """
    found = await extract(
        _tasks(work),
        Schema(work.step.json_schema),
        document=None,
        question=_NAME,
        top_k=1,
        variant=work.variant.name,
        chosen=work.step.anyway,
        language=None,
    )
    _note(work, found.notices, found.usage.prompt_tokens, found.usage.completion_tokens)
    work.finish_reason = found.finish_reason
    if not found.valid:
        wrong = found.errors[0]
        raise TekioError(
            f"the text does not give what the schema asks for at {wrong.property or '/'}: {wrong.message}"
        )
    if not work.step.take:
        return Made("object", found.data)
    value = found.data.get(work.step.take)
    if work.step.gives("text") == "list":
        return Made("list", [] if value is None else list(value))
    if value is None:
        raise TekioError(f"the text gives no '{work.step.take}'")
    return Made("text", value if isinstance(value, str) else str(value))


def _tasks(work: Work) -> TextTasks:
    means = work.means
    return TextTasks(
        means.engine, means.index, work.caller, means.max_prompt_tokens, means.max_new_tokens, work.text
    )


def _note(work: Work, notices: Sequence[str], read: int, written: int) -> None:
    work.notices += [notice for notice in notices if notice not in work.notices]
    work.prompt_tokens += read
    work.completion_tokens += written
