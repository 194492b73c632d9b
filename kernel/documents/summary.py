"""A summary: by the language model in parts and then of the parts, or of the document's own sentences."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kernel.answer import Citation, FinishReason
from kernel.answering.citations import CheckedText, check_citations, cite, join_sentences
from kernel.answering.evidence import InverseFrequencies
from kernel.answering.texts import without_echo
from kernel.documents.sentences import bare, central_sentences, content_sentences
from kernel.documents.writing import Writer, numbered
from plugins.prompt_functions import SUMMARIZE, PromptPassage
from retrieval.records import Passage

Progress = Callable[[int, int], None]
_GAP = " … "
_MARKER = re.compile(r"\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Written:
    """A checked text, whose markers are places in the whole list of passages, from 1; and how its draft ended."""

    checked: CheckedText
    finish_reason: FinishReason


def quoted_summary(
    passages: Sequence[Passage], count: int, inverse_frequencies: InverseFrequencies
) -> CheckedText:
    """Return the most telling sentences of a document in its order, each cited. Blocks; call it from a thread."""
    chosen = central_sentences(content_sentences(passages), count, inverse_frequencies)
    written = [f"{bare(item.text)} [{item.passage + 1}]" for item in chosen]
    return CheckedText(join_sentences(written), [cite([item], passages, 1.0) for item in chosen], [])


async def written_summary(
    writer: Writer,
    passages: Sequence[Passage],
    inverse_frequencies: InverseFrequencies,
    on_progress: Progress,
) -> Written:
    """Return a summary that the language model writes, checked against the passages.

    A document that does not fit one prompt is summarised in parts. Of each part's summary the sentences are kept that
    the part supports, and what they quote is summarised in its turn, until one prompt holds it. So no sentence rests
    on what a model wrote, but on what the document says.
    """
    items = [PromptPassage(place, passage, passage.text) for place, passage in enumerate(passages, start=1)]
    while True:
        groups = await writer.groups(SUMMARIZE, items)
        if len(groups) == 1:
            return await _of_one(writer, groups[0], inverse_frequencies)
        quotes: dict[int, list[Citation]] = {}
        for done, group in enumerate(groups, start=1):
            part = await _of_one(writer, group, inverse_frequencies)
            for citation in part.checked.citations:
                quotes.setdefault(citation.marker, []).append(citation)
            on_progress(done, len(groups))
        fewer = [
            PromptPassage(marker, passages[marker - 1], _joined(quotes[marker])) for marker in sorted(quotes)
        ]
        if not fewer or sum(len(item.text) for item in fewer) >= sum(len(item.text) for item in items):
            return Written(CheckedText("", [], []), FinishReason.STOP)
        items = fewer


async def _of_one(
    writer: Writer, group: Sequence[PromptPassage], inverse_frequencies: InverseFrequencies
) -> Written:
    draft = await writer.write(SUMMARIZE, numbered(group))
    own = [item.passage for item in group]
    checked = await asyncio.to_thread(check_citations, without_echo(draft.text), own, inverse_frequencies)
    return Written(moved(checked, [item.number for item in group]), draft.finish_reason)


def moved(checked: CheckedText, numbers: Sequence[int]) -> CheckedText:
    """Return a checked text with the numbers of a whole list in place of those of a part of it."""

    def number_of(match: re.Match[str]) -> str:
        place = int(match[1]) - 1
        return f"[{numbers[place]}]" if place in range(len(numbers)) else match[0]

    text = _MARKER.sub(number_of, checked.text)
    citations = [
        citation.model_copy(update={"marker": numbers[citation.marker - 1]}) for citation in checked.citations
    ]
    return CheckedText(text, citations, checked.unsupported)


def _joined(citations: Sequence[Citation]) -> str:
    spans = {(citation.start, citation.end): citation.quote for citation in citations}
    return _GAP.join(spans[span] for span in sorted(spans))
