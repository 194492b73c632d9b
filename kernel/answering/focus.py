"""What of each passage goes into the prompt.

A small language model loses its way in several whole passages, and reading them is most of the time that an
answer takes. So it is shown the sentences that answer best, each under its passage's number, in the order of
the document. A model that reads well is shown whole passages (`sentences` 0).
"""

from __future__ import annotations

from collections.abc import Sequence

from kernel.answering.ranking import Ranking
from plugins.prompt_functions import PromptPassage
from retrieval.records import Passage

_GAP = " … "


def focus(passages: Sequence[Passage], ranking: Ranking, *, sentences: int) -> list[PromptPassage]:
    """Return the passages to show, best first, each with its number in the whole list.

    Args:
        passages: as they were found.
        ranking: of their sentences.
        sentences: how many of the best sentences to show in all; 0 shows whole passages.
    """
    if sentences == 0:
        return [
            PromptPassage(number, passage, passage.text) for number, passage in enumerate(passages, start=1)
        ]
    shown: list[PromptPassage] = []
    best = [item.sentence for item in ranking.sentences[:sentences]]
    for index in dict.fromkeys(sentence.passage for sentence in best):
        passage = passages[index]
        chosen = sorted((item for item in best if item.passage == index), key=lambda item: item.start)
        text = ""
        for before, sentence in zip([None, *chosen], chosen, strict=False):
            between = (
                ""
                if before is None
                else passage.text[before.end - passage.start : sentence.start - passage.start]
            )
            text += (between if not between.strip() else _GAP) + sentence.text
        shown.append(PromptPassage(index + 1, passage, text))
    return shown
