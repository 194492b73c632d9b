"""A document by its name, what a model may read of it, and what of it is shown in the end."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from kernel.answer import AnswerPassage, Citation
from kernel.answering.run import shown_passages
from kernel.answering.suspicion import examine
from kernel.answering.texts import say
from retrieval.errors import UsageError
from retrieval.records import DocumentSummary, Passage

_MARKER = re.compile(r"\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Material:
    """Passages of a task: `shown` as they stand in the document, `passages` as texts are made of them.

    In the latter what is addressed to a language model is blanked out, at the same offsets.
    """

    shown: list[Passage]
    passages: list[Passage]

    @staticmethod
    def of(passages: Sequence[Passage]) -> Material:
        """Examine passages. Blocks; call it from a thread."""
        return Material(list(passages), examine(passages).passages)

    def __add__(self, other: Material) -> Material:
        """Return both, the passages of the other after these."""
        return Material([*self.shown, *other.shown], [*self.passages, *other.passages])

    def notices(self, language: str) -> list[str]:
        """Return what a reader should know of what was left out."""
        count = sum(seen != read for seen, read in zip(self.shown, self.passages, strict=True))
        return [say("addressed_in_document", language, count=count)] if count else []


def find_document(name: str, documents: Sequence[DocumentSummary]) -> DocumentSummary:
    """Return the document of a name, or of the end of a name where that is one document's alone.

    Args:
        name: as `tekio documents` lists it, or the file's name.
        documents: those that the caller may read.

    Raises:
        UsageError: there is none of this name, or several.
    """
    found = matching(name, documents)
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(
            f"{len(found)} documents are named '{name}': {', '.join(sorted(row.document for row in found)[:5])}"
        )
    near = get_close_matches(name, [row.document for row in documents], n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else "`tekio documents` lists them"
    raise UsageError(f"no document is named '{name}'; {hint}")


def matching(name: str, documents: Sequence[DocumentSummary]) -> list[DocumentSummary]:
    """Return the documents of a name: of the whole name, else of its end, else in another case."""
    ways: tuple[Callable[[str], bool], ...] = (
        lambda known: known == name,
        lambda known: known.endswith(f"/{name}"),
        lambda known: known.casefold() == name.casefold(),
    )
    for fits in ways:
        found = [row for row in documents if fits(row.document)]
        if found:
            return found
    return []


def renumbered(
    text: str, citations: Sequence[Citation], passages: Sequence[Passage]
) -> tuple[str, list[Citation], list[AnswerPassage]]:
    """Number the cited passages anew from 1, in the order of the list; return text, citations and those passages.

    Args:
        text: with markers that are places in `passages`, from 1.
        citations: with the same markers.
        passages: all that could be cited.
    """
    used = sorted({citation.marker for citation in citations})
    numbers = {marker: number for number, marker in enumerate(used, start=1)}

    def number_of(match: re.Match[str]) -> str:
        number = numbers.get(int(match[1]))
        return match[0] if number is None else f"[{number}]"

    cited = [passages[marker - 1] for marker in used]
    return (
        _MARKER.sub(number_of, text),
        [citation.model_copy(update={"marker": numbers[citation.marker]}) for citation in citations],
        shown_passages(cited, frozenset(range(len(cited)))),
    )
