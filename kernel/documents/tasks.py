"""Summary, comparison and extraction over an engine: who may read what, who writes, and what it took."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernel.answer import EXTRACTIVE, Citation, FinishReason, Usage
from kernel.answering.ranking import Ranking
from kernel.answering.run import Clock, Variant
from kernel.answering.texts import say
from kernel.documents.alignment import align
from kernel.documents.comparison import pairs_of, written_comparison
from kernel.documents.extraction import (
    Found,
    assembled,
    complaint,
    found_values,
    read_object,
)
from kernel.documents.reading import find_document, renumbered
from kernel.documents.results import Change, Comparison, Extraction, Pair, Summary
from kernel.documents.schema import Schema
from kernel.documents.sentences import compared_sentences
from kernel.documents.summary import Progress, quoted_summary, written_summary
from kernel.documents.writing import Writer, numbered
from kernel.engine import Engine
from plugins.prompt_functions import EXTRACT, LANGUAGES, PromptPassage
from retrieval.access import Caller
from retrieval.analysis import detect_language
from retrieval.errors import UsageError
from retrieval.filters import Where
from retrieval.passages import PassageIndex
from retrieval.records import DocumentSummary, Passage

MOST_SUMMARY = 30
_ABOUT_PASSAGES = 8
_ABOUT_SENTENCES = 20
_LOCATED = 4
_ATTEMPTS = 2


@dataclass(frozen=True, slots=True)
class DocumentTasks:
    """What can be done with the documents that a caller may read."""

    engine: Engine
    index: PassageIndex
    caller: Caller | None
    max_prompt_tokens: int
    max_new_tokens: int

    async def summarize(
        self,
        name: str,
        *,
        sentences: int,
        variant: str,
        chosen: bool,
        language: str | None,
        on_progress: Progress,
    ) -> Summary:
        """Summarise a document, see `Tekio.summarize`."""
        if not 1 <= sentences <= MOST_SUMMARY:
            raise UsageError(f"a summary can have 1 to {MOST_SUMMARY} sentences, not {sentences}")
        clock = Clock()
        (document,), passages = await self._read([name])
        who, spoken, notices = await self._who(variant, chosen, language, passages)
        finish, frequencies = FinishReason.STOP, self.index.inverse_frequencies
        writer = self._writer(who, spoken)
        checked = None
        if writer is not None:
            with clock("generate"):
                written = await written_summary(writer, passages, frequencies, on_progress)
            if written.checked.citations:
                checked, finish = written.checked, written.finish_reason
                notices += _ending(finish, spoken, self.max_new_tokens)
            else:
                who = Variant(EXTRACTIVE)
                notices.append(say("draft_unsupported", spoken))
        if checked is None:
            with clock("choose"):
                checked = await asyncio.to_thread(quoted_summary, passages, sentences, frequencies)
        text, citations, shown = renumbered(checked.text, checked.citations, passages)
        if not text:
            notices.append(say("nothing_to_say", spoken))
        return Summary(
            document=document.document,
            title=document.title,
            summary=text,
            citations=citations,
            unsupported=checked.unsupported,
            variant=who.name,
            language=spoken,
            notices=notices,
            passages=shown,
            usage=writer.usage(used=len(passages)) if writer else Usage(),
            finish_reason=finish,
            timings_ms=clock.timings(),
        )

    async def compare(
        self, first: str, second: str, *, about: str | None, variant: str, chosen: bool, language: str | None
    ) -> Comparison:
        """Compare two documents, see `Tekio.compare`."""
        clock = Clock()
        (one, other), _ = await self._read([first, second])
        if one.id == other.id:
            raise UsageError(f"both names are of one document, {one.document}: name two")
        sides = [await self._of(document, about) for document in (one, other)]
        passages = [*sides[0][0], *sides[1][0]]
        who, spoken, notices = await self._who(variant, chosen, language, passages)
        frequencies = self.index.inverse_frequencies
        with clock("align"):
            alignment = await asyncio.to_thread(align, sides[0][1], sides[1][1], frequencies, self._embed)
        same, changed, only_first, only_second = pairs_of(alignment, sides[0][0], sides[1][0])
        text, cited, unsupported, finish = "", list[Citation](), list[str](), FinishReason.STOP
        writer = self._writer(who, spoken)
        if writer is not None and (changed or only_first or only_second):
            only = [*only_first, *only_second]
            with clock("generate"):
                written = await written_comparison(writer, changed, only, passages, frequencies)
            if written.checked.citations:
                text, cited, finish = written.checked.text, written.checked.citations, written.finish_reason
                unsupported = written.checked.unsupported
                notices += _ending(finish, spoken, self.max_new_tokens)
            else:
                who = Variant(EXTRACTIVE)
                notices.append(say("draft_unsupported", spoken))
        pairs = [side for pair in same for side in (pair.first, pair.second)]
        pairs += [side for change in changed for side in (change.first, change.second)]
        every = [*cited, *pairs, *only_first, *only_second]
        text, numbered_all, shown = renumbered(text, every, passages)
        places = iter(numbered_all)
        cited = [next(places) for _ in cited]
        same = [Pair(first=next(places), second=next(places)) for _ in same]
        changed = [_change(item, next(places), next(places)) for item in changed]
        return Comparison(
            first=one.document,
            second=other.document,
            about=about,
            text=text,
            citations=cited,
            unsupported=unsupported,
            same=same,
            changed=changed,
            only_first=[next(places) for _ in only_first],
            only_second=[next(places) for _ in only_second],
            variant=who.name,
            language=spoken,
            notices=notices,
            passages=shown,
            usage=writer.usage(used=len(shown)) if writer else Usage(),
            finish_reason=finish,
            timings_ms=clock.timings(),
        )

    async def extract(
        self,
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
            (found_document,), passages = await self._read([document])
            source, only = found_document.document, found_document
        else:
            assert question is not None
            passages, only = await self.engine.search(question, top_k, caller=self.caller), None
            source = question
        who, spoken, notices = await self._who(variant, chosen, language, passages)
        locate = _Locating(self, passages, only)
        with clock("find"):
            found = await found_values(schema, passages, locate)
        made, errors, attempts = assembled(schema, found), schema.errors(assembled(schema, found).data), 0
        writer, finish = self._writer(who, spoken), FinishReason.STOP
        if writer is not None and passages:
            with clock("generate"):
                made, attempts, finish = await self._written(writer, schema, found, passages, locate)
            errors = schema.errors(made.data)
            notices += _ending(finish, spoken, self.max_new_tokens)
        every = [item.citation for item in made.values if item.citation is not None]
        _, cited, shown = renumbered("", every, passages)
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
        self, writer: Writer, schema: Schema, found: Any, passages: Sequence[Passage], locate: _Locating
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
            errors = schema.errors(None if isinstance(held, str) else held)
            if not isinstance(held, str) and not errors and not made.rejected:
                break
            wrong = held if isinstance(held, str) else complaint(errors, made.rejected)
        return made, attempts, finish

    # -- parts ----------------------------------------------------------------------------------------

    async def _read(self, names: Sequence[str]) -> tuple[list[DocumentSummary], list[Passage]]:
        """Return documents by name, and the passages of the first."""
        rows = await asyncio.to_thread(lambda: self.index.documents(caller=self.caller))
        found = [find_document(name, rows) for name in names]
        return found, await asyncio.to_thread(self.index.passages_of, found[0])

    async def _of(self, document: DocumentSummary, about: str | None) -> tuple[list[Passage], list[Any]]:
        """Return a document's passages, and its sentences; of those about something, the best."""
        if about is None:
            passages = await asyncio.to_thread(self.index.passages_of, document)
            return passages, await asyncio.to_thread(compared_sentences, passages)
        passages = await self._near(about, document, _ABOUT_PASSAGES)
        ranking = await asyncio.to_thread(self.engine.ranker.rank, about, passages)
        best = {(item.sentence.start, item.sentence.end) for item in ranking.sentences[:_ABOUT_SENTENCES]}
        sentences = await asyncio.to_thread(compared_sentences, passages)
        return passages, [item for item in sentences if (item.start, item.end) in best]

    async def _near(self, words: str, document: DocumentSummary, count: int) -> list[Passage]:
        found = await self.engine.search(
            words, count, Where("document_id", "==", document.id), caller=self.caller
        )
        return sorted(found, key=lambda passage: passage.start)

    def _embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self.engine.embed(texts)

    async def _who(
        self, name: str, chosen: bool, language: str | None, passages: Sequence[Passage]
    ) -> tuple[Variant, str, list[str]]:
        """Return who writes, in which language, and what the reader should know of it."""
        spoken = detect_language(" ".join(passage.text[:500] for passage in passages[:3]))
        own = spoken if spoken in LANGUAGES else LANGUAGES[0]
        language = language or own
        variant = await asyncio.to_thread(self.engine.variant, name)
        notices: list[str] = []
        if variant.counter is not None and not variant.speaks(language, spoken):
            notices.append(
                say("language_asked_for" if chosen else "language_not_spoken", language, model=variant.model)
            )
            variant = variant if chosen else Variant(EXTRACTIVE)
        if variant.counter is None and language != own:
            notices.append(say("own_sentences", language))
        return variant, language, notices

    def _writer(self, variant: Variant, language: str) -> Writer | None:
        if variant.counter is None:
            return None
        return Writer(self.engine.kernel, variant, language, self.max_prompt_tokens, self.max_new_tokens)


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
            near = await self._tasks._near(words, self._document, _LOCATED)
            # What is shown of a section or a window stands for the row that was found.
            places = [self._by_id[passage.id] for passage in near if passage.id in self._by_id]
        self.places.update(places)
        chosen = [self._passages[place] for place in places]
        return places, await asyncio.to_thread(self._tasks.engine.ranker.rank, words, chosen)


def _ending(finish: FinishReason, language: str, tokens: int) -> list[str]:
    if finish is FinishReason.REPETITION:
        return [say("repeated", language)]
    return [say("cut", language, tokens=tokens)] if finish is FinishReason.LENGTH else []


def _change(change: Change, first: Citation, second: Citation) -> Change:
    return change.model_copy(update={"first": first, "second": second})
