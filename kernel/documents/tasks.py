"""Summaries and comparisons over an engine: who may read what, who writes, and what it took."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernel.answer import Citation, FinishReason, Usage
from kernel.answering.citations import CheckedText
from kernel.answering.fences import fence_of
from kernel.answering.links import LinkGuard
from kernel.answering.run import Clock, Variant
from kernel.answering.texts import say
from kernel.documents.alignment import align
from kernel.documents.comparison import pairs_of, written_comparison
from kernel.documents.reading import Material, find_document, renumbered
from kernel.documents.results import Change, Comparison, Pair, Summary
from kernel.documents.sentences import compared_sentences
from kernel.documents.summary import Progress, quoted_summary, written_summary
from kernel.documents.writing import Writer
from kernel.engine.engine import Engine
from kernel.variant_names import EXTRACTIVE
from plugins.prompt_functions import LANGUAGES
from retrieval.access import Caller
from retrieval.analysis import detect_language
from retrieval.errors import UsageError
from retrieval.filters import Where
from retrieval.passages import PassageIndex
from retrieval.records import DocumentSummary, Passage

MOST_SUMMARY = 30
_ABOUT_PASSAGES = 8
_ABOUT_SENTENCES = 20


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
        (document,), material = await self.read([name])
        passages = material.passages
        who, spoken, notices = await self.who(variant, chosen, language, material)
        finish, frequencies = FinishReason.STOP, self.index.inverse_frequencies
        writer = self.writer(who, spoken, material)
        checked = None
        if writer is not None:
            with clock("generate"):
                written = await written_summary(writer, passages, frequencies, on_progress)
            if written.checked.citations:
                checked, finish = written.checked, written.finish_reason
                notices += ending(finish, spoken, self.max_new_tokens)
            else:
                who = Variant(EXTRACTIVE)
                notices.append(say("draft_unsupported", spoken))
        if checked is None:
            with clock("choose"):
                checked = await asyncio.to_thread(quoted_summary, passages, sentences, frequencies)
        checked = without_links(checked, passages, spoken, notices)
        text, citations, shown = renumbered(checked.text, checked.citations, material.shown)
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
        (one, other), _ = await self.read([first, second])
        if one.id == other.id:
            raise UsageError(f"both names are of one document, {one.document}: name two")
        sides = [await self._of(document, about) for document in (one, other)]
        material = sides[0][0] + sides[1][0]
        who, spoken, notices = await self.who(variant, chosen, language, material)
        frequencies = self.index.inverse_frequencies
        with clock("align"):
            alignment = await asyncio.to_thread(align, sides[0][1], sides[1][1], frequencies, self._embed)
        same, changed, only_first, only_second = pairs_of(
            alignment, sides[0][0].passages, sides[1][0].passages
        )
        text, cited, unsupported, finish = "", list[Citation](), list[str](), FinishReason.STOP
        writer = self.writer(who, spoken, material)
        if writer is not None and (changed or only_first or only_second):
            only = [*only_first, *only_second]
            with clock("generate"):
                written = await written_comparison(writer, changed, only, material.passages, frequencies)
            if written.checked.citations:
                checked = without_links(written.checked, material.passages, spoken, notices)
                text, cited, finish = checked.text, checked.citations, written.finish_reason
                unsupported = checked.unsupported
                notices += ending(finish, spoken, self.max_new_tokens)
            else:
                who = Variant(EXTRACTIVE)
                notices.append(say("draft_unsupported", spoken))
        pairs = [side for pair in same for side in (pair.first, pair.second)]
        pairs += [side for change in changed for side in (change.first, change.second)]
        every = [*cited, *pairs, *only_first, *only_second]
        text, numbered_all, shown = renumbered(text, every, material.shown)
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

    # -- parts ----------------------------------------------------------------------------------------

    async def read(self, names: Sequence[str]) -> tuple[list[DocumentSummary], Material]:
        """Return documents by name, and what is in the first."""
        rows = await asyncio.to_thread(lambda: self.index.documents(caller=self.caller))
        found = [find_document(name, rows) for name in names]
        return found, await self._whole(found[0])

    async def _whole(self, document: DocumentSummary) -> Material:
        return await asyncio.to_thread(lambda: Material.of(self.index.passages_of(document)))

    async def _of(self, document: DocumentSummary, about: str | None) -> tuple[Material, list[Any]]:
        """Return what is in a document, and its sentences; of those about something, the best."""
        if about is None:
            whole = await self._whole(document)
            return whole, await asyncio.to_thread(compared_sentences, whole.passages)
        near = await self.near(about, document, _ABOUT_PASSAGES)
        ranking = await asyncio.to_thread(self.engine.ranker.rank, about, near.passages)
        best = {(item.sentence.start, item.sentence.end) for item in ranking.sentences[:_ABOUT_SENTENCES]}
        sentences = await asyncio.to_thread(compared_sentences, near.passages)
        return near, [item for item in sentences if (item.start, item.end) in best]

    async def near(self, words: str, document: DocumentSummary, count: int) -> Material:
        """Return the passages of a document that are nearest to some words, in its order."""
        found = await self.engine.searching.search(
            words, count, Where("document_id", "==", document.id), caller=self.caller
        )
        return await asyncio.to_thread(Material.of, sorted(found, key=lambda passage: passage.start))

    async def found(self, words: str, count: int) -> Material:
        """Return the passages of all documents that are nearest to some words, best first."""
        found = await self.engine.searching.search(words, count, caller=self.caller)
        return await asyncio.to_thread(Material.of, found)

    def _embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self.engine.searching.embed(texts)

    async def who(
        self, name: str, chosen: bool, language: str | None, material: Material
    ) -> tuple[Variant, str, list[str]]:
        """Return who writes, in which language, and what the reader should know of it."""
        spoken = detect_language(" ".join(passage.text[:500] for passage in material.passages[:3]))
        own = spoken if spoken in LANGUAGES else LANGUAGES[0]
        language = language or own
        variant = await asyncio.to_thread(self._writing, name)
        notices = material.notices(language)
        if variant.name != name:
            notices.append(say("one_member", language, name=name, variant=variant.name))
        if variant.counter is not None and not variant.speaks(language, spoken):
            notices.append(
                say("language_asked_for" if chosen else "language_not_spoken", language, model=variant.model)
            )
            variant = variant if chosen else Variant(EXTRACTIVE)
        if variant.counter is None and language != own:
            notices.append(say("own_sentences", language))
        return variant, language, notices

    def _writing(self, name: str) -> Variant:
        """Return who writes for a variant: itself, or of one that asks others the first of them that can write."""
        variant = self.engine.variants.get(name)
        while variant.composition is not None:  # none asks itself by way of others
            members = [self.engine.variants.get(member) for member in variant.composition.members]
            able = [each for each in members if each.composition is not None or each.counter is not None]
            variant = able[0] if able else Variant(EXTRACTIVE)
        return variant

    def writer(self, variant: Variant, language: str, material: Material) -> Writer | None:
        """Return what writes of some material; None for a variant that is no language model."""
        if variant.counter is None:
            return None
        fence = fence_of("", material.passages)
        room = variant.prompt_room(self.max_prompt_tokens, self.max_new_tokens)
        kernel = self.engine.kernel_of(self.caller)
        return Writer(kernel, variant, language, room, self.max_new_tokens, fence)


def ending(finish: FinishReason, language: str, tokens: int) -> list[str]:
    """Return what a reader should know of how a draft ended."""
    if finish is FinishReason.REPETITION:
        return [say("repeated", language)]
    if finish is FinishReason.TIMEOUT:
        return [say("late", language)]
    return [say("cut", language, tokens=tokens)] if finish is FinishReason.LENGTH else []


def without_links(
    checked: CheckedText, passages: Sequence[Passage], language: str, notices: list[str]
) -> CheckedText:
    """Return a text in which nothing is live, and no address that stands in none of the passages it cites.

    Args:
        checked: markers are places in the passages, from 1.
        passages: that were read.
        language: of what stands in the place of an address.
        notices: grows where one was taken out.
    """
    cited = sorted({citation.marker - 1 for citation in checked.citations})
    guard = LinkGuard([passages[place].text for place in cited], language)
    text = guard.clean(checked.text)
    if guard.removed:
        notices.append(say("links_removed", language))
    return replace(checked, text=text, unsupported=[guard.clean(line) for line in checked.unsupported])


def _change(change: Change, first: Citation, second: Citation) -> Change:
    return change.model_copy(update={"first": first, "second": second})
