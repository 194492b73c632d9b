"""Two documents compared: pairs of sentences with their places, and a text of it by the language model."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from kernel.answer import Citation
from kernel.answering.citations import CheckedText, check_citations, cite
from kernel.answering.evidence import InverseFrequencies, Sentence
from kernel.answering.folded import figure_values
from kernel.answering.texts import without_echo
from kernel.documents.alignment import Alignment
from kernel.documents.results import Change, Pair
from kernel.documents.summary import Written, moved
from kernel.documents.writing import Writer, numbered
from plugins.prompt_functions import COMPARE, PromptPassage
from retrieval.records import Passage

MOST_SHOWN = 12
"""Differences that the language model is shown."""


def pairs_of(
    alignment: Alignment, first: Sequence[Passage], second: Sequence[Passage]
) -> tuple[list[Pair], list[Change], list[Citation], list[Citation]]:
    """Return what is the same, what differs, and what one of the documents says alone, each with its place.

    The passages of the second document are numbered after those of the first.
    """
    same: list[Pair] = []
    changed: list[Change] = []
    for pair in alignment.pairs:
        here, there = _cited(pair.first, first, 0), _cited(pair.second, second, len(first))
        if not pair.differs_in:
            same.append(Pair(first=here, second=there))
            continue
        ours, theirs = figure_values(pair.first.text), figure_values(pair.second.text)
        changed.append(
            Change(
                first=here,
                second=there,
                differs_in=list(pair.differs_in),
                first_figures=sorted(ours - theirs),
                second_figures=sorted(theirs - ours),
            )
        )
    return (
        same,
        changed,
        [_cited(item, first, 0) for item in alignment.only_first],
        [_cited(item, second, len(first)) for item in alignment.only_second],
    )


async def written_comparison(
    writer: Writer,
    changed: Sequence[Change],
    only: Sequence[Citation],
    passages: Sequence[Passage],
    inverse_frequencies: InverseFrequencies,
) -> Written:
    """Return what the language model writes of the differences, checked against both documents.

    It is shown the sentences that differ, then those that stand in one document alone, as many as fit.

    Args:
        writer: writes.
        changed: the pairs that differ.
        only: what one of the documents says alone.
        passages: of both documents, those of the second after those of the first.
        inverse_frequencies: weights of tokens in the index.
    """
    shown = [citation for change in changed for citation in (change.first, change.second)] + list(only)
    quotes: dict[int, list[str]] = {}
    for citation in shown[: 2 * MOST_SHOWN]:
        quotes.setdefault(citation.marker, []).append(citation.quote)
    items = [
        PromptPassage(marker, passages[marker - 1], " … ".join(dict.fromkeys(quotes[marker])))
        for marker in quotes
    ]
    group = (await writer.groups(COMPARE, items, _found(changed, items)))[0]
    draft = await writer.write(COMPARE, numbered(group), _found(changed, group))
    own = [item.passage for item in group]
    checked: CheckedText = await asyncio.to_thread(
        check_citations, without_echo(draft.text), own, inverse_frequencies
    )
    return Written(moved(checked, [item.number for item in group]), draft.finish_reason)


def _found(changed: Sequence[Change], shown: Sequence[PromptPassage]) -> str:
    """Return the figures that differ, a pair a line, with the numbers that the passages have in the prompt."""
    numbers = {item.number: place for place, item in enumerate(shown, start=1)}
    lines = []
    for change in changed:
        here, there = numbers.get(change.first.marker), numbers.get(change.second.marker)
        if here is None or there is None:
            continue
        ours, theirs = ", ".join(change.first_figures), ", ".join(change.second_figures)
        what = f"{ours or '-'} / {theirs or '-'}" if ours or theirs else ", ".join(change.differs_in)
        lines.append(f"[{here}] / [{there}]: {what}")
    return "\n".join(lines[:MOST_SHOWN])


def _cited(sentence: Sentence, passages: Sequence[Passage], before: int) -> Citation:
    citation = cite([sentence], passages, 1.0)
    return citation.model_copy(update={"marker": citation.marker + before})
