"""Questions that a collection can answer, to begin with: made of its documents' headings, without a model.

A heading names what its section is about, and a search finds it by that name. So a few documents are taken, spread
over the collection, and of each a heading that is not that of all its passages.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

from retrieval.passages import PassageIndex
from retrieval.records import DocumentSummary, Passage

_Item = TypeVar("_Item")
SUGGESTED = 4
_LOOKED_AT = 8
"""Passages of a document whose headings are looked at."""
_LONGEST = 60
_NUMBERING = re.compile(
    r"^(?:\d+(?:[.．-]\d+)*[.．)）:：]?(?=[\s\u3000])|[IVX]+[.)]|第[\d一二三四五六七八九十]+[章節条項]|[■●◆・▪•※]+)\s*"
)
_QUESTION = re.compile(r"[?？]$|(?:です|ます|でしょう)か[。]?$")
_FORMS = {
    "en": "What does “{title}” say about “{heading}”?",
    "ja": "「{title}」の「{heading}」について教えてください。",
}


def suggest(
    index: PassageIndex, documents: Sequence[DocumentSummary], language: str, *, most: int = SUGGESTED
) -> list[str]:
    """Return questions about documents, in a language (`ja`, or English for any other).

    Args:
        index: holds the documents.
        documents: what the one who is to be asked may read.
        language: of the questions; documents in it come first.
        most: how many.
    """
    own = [row for row in documents if row.language == language]
    others = [row for row in documents if row.language != language]
    questions: list[str] = []
    for group in (own, others):
        wanted = most - len(questions)
        for document in _spread([row for row in group if row.chunks > 0], 3 * wanted):
            question = _question(index, document, language)
            if question and question not in questions:
                questions.append(question)
            if len(questions) == most:
                return questions
        if group:  # a question in one language about documents in another finds less
            break
    return questions


def _question(index: PassageIndex, document: DocumentSummary, language: str) -> str | None:
    numbers = _spread(range(document.chunks), _LOOKED_AT)
    heading = _heading(index.passages_of(document, numbers), document.title)
    if heading is None:
        return None
    if _QUESTION.search(heading):
        return heading
    title = document.title or document.document
    return _FORMS["ja" if language == "ja" else "en"].format(title=title[:_LONGEST], heading=heading)


def _heading(passages: Sequence[Passage], title: str) -> str | None:
    """Return the innermost heading that the most passages stand under."""
    counts: Counter[str] = Counter()
    for passage in passages:
        inner = [_NUMBERING.sub("", heading).strip() for heading in passage.headings]
        inner = [heading for heading in inner if 2 <= len(heading) <= _LONGEST and heading != title]
        if inner:
            counts[inner[-1]] += 1
    return counts.most_common(1)[0][0] if counts else None


def _spread(items: Sequence[_Item], most: int) -> list[_Item]:
    """Return at most so many items, evenly spread."""
    if len(items) <= most:
        return list(items)
    return [items[(2 * number + 1) * len(items) // (2 * most)] for number in range(most)]
