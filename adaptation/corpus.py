"""The passages of an index as material to learn from, and which documents go together."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from retrieval.analysis import normalize
from retrieval.errors import UsageError
from retrieval.passages import PassageIndex
from retrieval.records import context_of

MOST_PASSAGES = 20_000
"""Passages that are learned from; of a larger index a sample, spread evenly."""
LEAST_DOCUMENTS = 20
_LEAST_HELD = 4
_FETCH = 1000
_COMMON_TITLE = 0.2


class Part(StrEnum):
    """What a document is used for: to learn from, to choose by (when to stop, how far to go), or to measure on."""

    TRAIN = "train"
    CHOOSE = "choose"
    MEASURE = "measure"


@dataclass(frozen=True, slots=True)
class Material:
    """A passage to learn from. Passages of one `group` are of one document, or of documents with a text in common;
    `document` is the document's id, `name` what people are shown of it."""

    id: int
    group: int
    title: str
    headings: tuple[str, ...]
    text: str
    document: int = 0
    name: str = ""
    language: str = "en"

    @property
    def context(self) -> str:
        """Its title and headings as they are embedded before it."""
        return context_of(self.title, self.headings)

    @property
    def whole(self) -> str:
        """What is embedded of it."""
        return f"{self.context}\n{self.text}" if self.context else self.text


@dataclass(frozen=True)
class Corpus:
    """The passages that are learned from, by their ids; `digest` names them and their texts."""

    passages: Mapping[int, Material]
    digest: str

    def groups(self) -> list[int]:
        """Return the groups, ascending."""
        return sorted({passage.group for passage in self.passages.values()})


def read_corpus(index: PassageIndex, *, most: int = MOST_PASSAGES, least: int = LEAST_DOCUMENTS) -> Corpus:
    """Read the passages of an index, or an even sample of them.

    Args:
        index: that is read.
        most: passages.
        least: different documents that there must be.

    Raises:
        UsageError: there are too few documents to learn from and to measure on.
    """
    ids = index.store.sample(None, most)
    digest = hashlib.sha256()
    rows: list[Material] = []
    for start in range(0, len(ids), _FETCH):
        for row_id, hit in index.store.rows(ids[start : start + _FETCH], vectors=False).items():
            data = hit.data
            digest.update(f"{data['title']}\0{data['text']}\0".encode("utf-8", "surrogatepass"))
            rows.append(
                Material(
                    id=row_id,
                    group=0,
                    title=data["title"],
                    headings=tuple(data["headings"]),
                    text=data["text"],
                    document=data["document_id"],
                    name=data["document"],
                    language=str(data["language"]),
                )
            )
    group_of = _groups([(row.document, row.text) for row in rows])
    corpus = Corpus({row.id: replace(row, group=group_of[row.document]) for row in rows}, digest.hexdigest())
    found = len(corpus.groups())
    if found < least:
        raise UsageError(
            f"the index in {index.database.place} holds {found} different documents, fewer than the {least} "
            "that are needed to learn from some and measure on others: ingest more"
        )
    return corpus


def _groups(passages: Sequence[tuple[int, str]]) -> dict[int, int]:
    """Return the group of each document: its own number, or the least of those that share a text with it."""
    leader: dict[int, int] = {}

    def find(document: int) -> int:
        while leader.setdefault(document, document) != document:
            leader[document] = leader[leader[document]]
            document = leader[document]
        return document

    first: dict[bytes, int] = {}
    for document, text in passages:
        key = hashlib.sha256(plain_words(text).encode("utf-8", "surrogatepass")).digest()
        one, other = find(document), find(first.setdefault(key, document))
        leader[max(one, other)] = min(one, other)
    return {document: find(document) for document, _ in passages}


def plain_words(text: str) -> str:
    """Return a text by which copies are known: without differences of case, width and space."""
    return " ".join(normalize(text).split())


def together(corpus: Corpus) -> Corpus:
    """Return a corpus in which documents of one title are one group, such as the sections of an article.

    A title that a fifth of all documents bear says nothing, and is passed over.
    """
    titles: dict[str, set[int]] = {}
    for passage in corpus.passages.values():
        if title := plain_words(passage.title):
            titles.setdefault(title, set()).add(passage.group)
    leader = {group: group for group in corpus.groups()}

    def find(group: int) -> int:
        while leader[group] != group:
            group = leader[group]
        return group

    for groups in titles.values():
        if len(groups) <= _COMMON_TITLE * len(leader):
            first, *others = sorted(find(group) for group in groups)
            leader.update(dict.fromkeys(others, first))
    return Corpus(
        {key: replace(row, group=find(row.group)) for key, row in corpus.passages.items()}, corpus.digest
    )


def split(
    corpus: Corpus, *, seed: int, share: float = 0.1, measured: Collection[int] = (), least: int = _LEAST_HELD
) -> dict[int, Part]:
    """Say for each group what it is used for.

    Args:
        corpus: its groups are parted.
        seed: decides which goes where.
        share: of them that are chosen by, and that are measured on.
        measured: groups that are measured on in any case.
        least: groups that are chosen by, and that are measured on, at least.
    """
    groups = [group for group in corpus.groups() if group not in measured]
    random.Random(seed).shuffle(groups)  # noqa: S311 - no secret
    each = max(least, round(share * (len(groups) + len(measured))))
    groups = [*measured, *groups]
    kinds = [Part.MEASURE] * max(each, len(measured)) + [Part.CHOOSE] * each
    return {group: kinds[place] if place < len(kinds) else Part.TRAIN for place, group in enumerate(groups)}
