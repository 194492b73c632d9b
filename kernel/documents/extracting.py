"""Extraction over an engine: the document or what was found, who writes, the second attempt, and what it took."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from kernel.answer import FinishReason, Usage
from kernel.answering.ranking import Ranking
from kernel.answering.run import Clock
from kernel.documents.extraction import Found, assembled, complaint, found_values, read_object
from kernel.documents.reading import renumbered
from kernel.documents.results import Extraction
from kernel.documents.schema import Schema
from kernel.documents.tasks import DocumentTasks, ending
from kernel.documents.writing import Writer, numbered
from plugins.prompt_functions import EXTRACT, PromptPassage
from retrieval.records import DocumentSummary, Passage

_LOCATED = 4
_ATTEMPTS = 2


async def extract(
    tasks: DocumentTasks,
    schema: Schema,
    *,
    document: str | None,
    question: str | None,
    top_k: int,
    variant: str,
    chosen: bool,
    language: str | None,
) -> Extraction:
    """Read facts out of a document, or of what is found for a question, see `Tekio.extract`."""
    clock = Clock()
    if document is not None:
        (found_document,), material = await tasks.read([document])
        source, only = found_document.document, found_document
    else:
        assert question is not None
        material, only = await tasks.found(question, top_k), None
        source = question
    passages = material.passages
    who, spoken, notices = await tasks.who(variant, chosen, language, material)
    locate = _Locating(tasks, passages, only)
    with clock("find"):
        found = await found_values(schema, passages, locate)
    made, attempts = assembled(schema, found), 0
    writer, finish = tasks.writer(who, spoken, material), FinishReason.STOP
    if writer is not None and passages:
        with clock("generate"):
            made, attempts, finish = await _written(writer, schema, found, passages, locate)
        notices += ending(finish, spoken, tasks.max_new_tokens)
    # In a thread, since a pattern may take its time.
    errors = await asyncio.to_thread(schema.errors, made.data)
    every = [item.citation for item in made.values if item.citation is not None]
    _, cited, shown = renumbered("", every, material.shown)
    places = iter(cited)
    values = [
        item if item.citation is None else item.model_copy(update={"citation": next(places)})
        for item in made.values
    ]
    return Extraction(
        source=source,
        data=made.data,
        valid=not errors,
        errors=errors,
        values=values,
        rejected=made.rejected,
        attempts=attempts,
        variant=who.name,
        language=spoken,
        notices=notices,
        passages=shown,
        usage=writer.usage(used=len(shown)) if writer else Usage(),
        finish_reason=finish,
        timings_ms=clock.timings(),
    )


async def _written(
    writer: Writer, schema: Schema, found: Any, passages: Sequence[Passage], locate: _Locating
) -> tuple[Found, int, FinishReason]:
    """Let a model write the data; once more with what was wrong, where it does not follow the schema."""
    wrong, made, finish = "", Found(), FinishReason.STOP
    items = [PromptPassage(place, item, item.text) for place, item in enumerate(passages, start=1)]
    room = schema.text()
    group = (await writer.groups(EXTRACT, items, room))[0]
    if len(group) < len(items):  # those that were found for the properties, in their order
        near = sorted(locate.places) or range(len(items))
        group = (await writer.groups(EXTRACT, [items[place] for place in near], room))[0]
    shown = [(item.number, item.passage) for item in group]
    attempts = 0
    while attempts < _ATTEMPTS:
        attempts += 1
        text = f"{room}\n{wrong}" if wrong else room
        fitting = (await writer.groups(EXTRACT, group, text))[0]
        draft = await writer.write(EXTRACT, numbered(fitting), text)
        finish = draft.finish_reason
        held = read_object(draft.text)
        made = assembled(schema, found, None if isinstance(held, str) else held, shown)
        errors = await asyncio.to_thread(schema.errors, None if isinstance(held, str) else held)
        if not isinstance(held, str) and not errors and not made.rejected:
            break
        wrong = held if isinstance(held, str) else complaint(errors, made.rejected)
    return made, attempts, finish


class _Locating:
    """Finds the passages for a property; remembers which were found."""

    def __init__(
        self, tasks: DocumentTasks, passages: Sequence[Passage], document: DocumentSummary | None
    ) -> None:
        self._tasks = tasks
        self._passages = passages
        self._document = document
        self._by_id = {passage.id: place for place, passage in enumerate(passages)}
        self.places: set[int] = set()

    async def __call__(self, words: str) -> tuple[Sequence[int], Ranking]:
        if self._document is None or len(self._passages) <= _LOCATED:
            places = list(range(len(self._passages)))
        else:
            near = (await self._tasks.near(words, self._document, _LOCATED)).passages
            # What is shown of a section or a window stands for the row that was found.
            places = [self._by_id[passage.id] for passage in near if passage.id in self._by_id]
        self.places.update(places)
        chosen = [self._passages[place] for place in places]
        return places, await asyncio.to_thread(self._tasks.engine.ranker.rank, words, chosen)
