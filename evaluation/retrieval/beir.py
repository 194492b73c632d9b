"""Retrieval sets in the form of BEIR: corpus.jsonl, queries.jsonl, qrels/*.tsv."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retrieval.errors import UsageError

_USUAL = ("test", "dev")
"""The splits that are measured when none is named, the first that there is."""


@dataclass(frozen=True, slots=True)
class BeirDocument:
    """A document of a set."""

    id: str
    title: str
    text: str

    @property
    def whole(self) -> str:
        """Its title before its text."""
        return f"{self.title}\n{self.text}".strip()


@dataclass(frozen=True, slots=True)
class Beir:
    """A set: documents, the queries (id, text) that are judged, and the grades of the documents for each.

    `notices` say what was left out.
    """

    name: str
    split: str
    documents: list[BeirDocument]
    queries: list[tuple[str, str]]
    judgements: dict[str, dict[str, int]]
    notices: tuple[str, ...] = ()


def load_beir(folder: Path, *, split: str | None = None, most: int | None = None) -> Beir:
    """Load a set.

    Args:
        folder: holds corpus.jsonl, queries.jsonl and the folder qrels.
        split: of the judgements; None takes `test`, else `dev`, else the only one.
        most: takes the first so many documents only, and the queries that are judged on those.

    Raises:
        UsageError: the folder holds no such set, or a line of it is broken, which is named.
    """
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}: name one with corpus.jsonl, queries.jsonl and qrels/")
    file = _judgement_file(folder, split)
    documents = [
        BeirDocument(_id(row, where), str(row.get("title") or ""), _text(row, where))
        for row, where in _rows(folder / "corpus.jsonl")
    ]
    _check_distinct([document.id for document in documents], folder / "corpus.jsonl")
    texts = {_id(row, where): _text(row, where) for row, where in _rows(folder / "queries.jsonl")}
    if not documents or not texts:
        raise UsageError(f"{folder} holds no {'documents' if not documents else 'queries'}")
    documents = documents[:most]
    present = {document.id for document in documents}
    judged, unknown = _judgements(file), 0
    kept: dict[str, dict[str, int]] = {}
    for query, grades in judged.items():
        here = {document: grade for document, grade in grades.items() if document in present}
        unknown += len(grades) - len(here)
        if query in texts and here and (most is None or len(here) == len(grades)):
            kept[query] = here
    notices = []
    if unknown and most is None:
        notices.append(f"{unknown} judgements are of documents that the corpus does not hold")
    if most is None and len(judged) > len(kept):
        notices.append(f"{len(judged) - len(kept)} judged queries are left out: without a text or a document")
    if not kept:
        raise UsageError(f"{file} judges none of the queries on the documents of {folder}")
    queries = [(name, text) for name, text in texts.items() if name in kept]
    return Beir(folder.resolve().name, file.stem, documents, queries, kept, tuple(notices))


def _judgement_file(folder: Path, split: str | None) -> Path:
    files = {file.stem: file for file in sorted((folder / "qrels").glob("*.tsv"))}
    if not files:
        raise UsageError(f"{folder} has no judgements: there is no qrels/*.tsv in it")
    if split is None:
        split = next((name for name in _USUAL if name in files), None) or next(iter(files))
    if split not in files:
        raise UsageError(f"{folder} has no split '{split}'; there are {', '.join(files)}")
    return files[split]


def _rows(path: Path) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield the objects of a file of JSON lines, each with where it stands."""
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                where = f"{path}, line {number}"
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise UsageError(f"{where} is no JSON object")
                yield row, where
    except json.JSONDecodeError as error:
        raise UsageError(f"{path}, line {number} is no JSON: {error.msg}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error


def _id(row: dict[str, Any], where: str) -> str:
    if row.get("_id") in (None, ""):
        raise UsageError(f"{where} has no _id")
    return str(row["_id"])


def _text(row: dict[str, Any], where: str) -> str:
    if not isinstance(row.get("text"), str):
        raise UsageError(f"{where} has no text")
    return str(row["text"])


def _check_distinct(names: list[str], path: Path) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise UsageError(f"{path} holds the _id '{name}' twice")
        seen.add(name)


def _judgements(file: Path) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}") from error
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        try:
            query, document, grade = line.split("\t")
            if int(grade) > 0:
                found.setdefault(query, {})[document] = int(grade)
        except ValueError as error:
            raise UsageError(
                f"{file}, line {number} is not a query, a document and a whole grade with tabs between them"
            ) from error
    return found
