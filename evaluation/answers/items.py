"""Questions with what is expected of their answers, whichever file they came from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from evaluation.retrieval.beir import BeirDocument
from ingest.assemble import assemble
from ingest.blocks import Block, BlockKind
from retrieval.token_counter import encodable


@dataclass(frozen=True, slots=True)
class Span:
    """Where an expected answer stands: character offsets into the text of a document as it is read."""

    document: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Item:
    """A question with what is expected.

    Attributes:
        id: names it within its set.
        language: `ja` or `en`; how its answers are cut into words.
        question: what is asked.
        answers: each a right answer; none where the set has no texts to compare with.
        answerable: whether the documents hold an answer; else a refusal is right.
        places: the expected documents with their pages, all of which should be cited.
        spans: where the answer stands, each alone enough.
        label: the expected class, such as yes, no or maybe; None where the set has none.
        group: what stays together when a set is cut into parts: mostly a document's title.
        where: filters of the search, for a question that is to be asked over some documents alone.
    """

    id: str
    language: str
    question: str
    answers: tuple[str, ...] = ()
    answerable: bool = True
    places: tuple[tuple[str, int | None], ...] = ()
    spans: tuple[Span, ...] = ()
    label: str | None = None
    group: str = ""
    where: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """Questions of one file, and the passages that it brings, if it does. `notices` say what was left out."""

    name: str
    form: str
    items: tuple[Item, ...]
    pool: tuple[BeirDocument, ...] = ()
    notices: tuple[str, ...] = ()


def digest(items: Sequence[Item], pool: Sequence[BeirDocument] = ()) -> str:
    """Return what names these questions, and the passages that they are asked over, whatever their order."""
    found = hashlib.sha256()
    for item in sorted(items, key=lambda item: item.id):
        found.update(json.dumps(asdict(item), ensure_ascii=False, sort_keys=True).encode())
    for document in sorted(pool, key=lambda document: document.id):
        found.update(json.dumps([document.id, document.title, document.text], ensure_ascii=False).encode())
    return found.hexdigest()[:16]


def as_read(text: str) -> str:
    """Return a passage's text as an index of it holds it, which is what spans count in."""
    return assemble([Block(encodable(text), BlockKind.PARAGRAPH)]).text


def span_of(document: str, text: str, answer: str, start: int | None = None) -> Span | None:
    """Return where an answer stands in a text as it is read.

    Args:
        document: its name.
        text: as it is read.
        answer: what stands there.
        start: where it should stand; without it, or where it does not stand there, it must stand there only once.
    """
    if not answer:
        return None
    if start is not None and start >= 0 and text.startswith(answer, start):
        return Span(document, start, start + len(answer))
    at = text.find(answer)
    if at < 0 or text.find(answer, at + 1) >= 0:
        return None
    return Span(document, at, at + len(answer))
