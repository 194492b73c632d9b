"""The passages of an index as material to learn from, and which documents go together."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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


class Part(StrEnum):
    """What a document is used for: to learn from, to choose by (when to stop, how far to go), or to measure on."""

    TRAIN = "train"
    CHOOSE = "choose"
    MEASURE = "measure"


@dataclass(frozen=True, slots=True)
class Material:
    """A passage to learn from. Passages of one `group` are of one document, or of documents with a text in common."""

    id: int
    group: int
    title: str
    headings: tuple[str, ...]
    text: str

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


def read_corpus(index: PassageIndex, *, most: int = MOST_PASSAGES) -> Corpus:
    """Read the passages of an index, or an even sample of them.

    Raises:
        UsageError: there are too few documents to learn from and to measure on.
    """
    ids = index.store.sample(None, most)
    digest = hashlib.sha256()
    rows: list[tuple[int, int, str, tuple[str, ...], str]] = []
    for start in range(0, len(ids), _FETCH):
        for row_id, hit in index.store.rows(ids[start : start + _FETCH], vectors=False).items():
            data = hit.data
            digest.update(f"{data['title']}\0{data['text']}\0".encode("utf-8", "surrogatepass"))
            rows.append((row_id, data["document_id"], data["title"], tuple(data["headings"]), data["text"]))
    group_of = _groups([(document, text) for _, document, _, _, text in rows])
    passages = {
        row_id: Material(row_id, group_of[document], title, headings, text)
        for row_id, document, title, headings, text in rows
    }
    corpus = Corpus(passages, digest.hexdigest())
    found = len(corpus.groups())
    if found < LEAST_DOCUMENTS:
        raise UsageError(
            f"the index in {index.database.place} holds {found} different documents, fewer than the {LEAST_DOCUMENTS} "
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


def split(corpus: Corpus, *, seed: int, share: float = 0.1) -> dict[int, Part]:
    """Say for each group what it is used for; at least four are chosen by and four measured on."""
    groups = corpus.groups()
    random.Random(seed).shuffle(groups)  # noqa: S311 - no secret
    each = max(_LEAST_HELD, round(share * len(groups)))
    kinds = [Part.MEASURE] * each + [Part.CHOOSE] * each
    return {group: kinds[place] if place < len(kinds) else Part.TRAIN for place, group in enumerate(groups)}
