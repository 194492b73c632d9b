"""Retrieval sets in the form of BEIR: corpus.jsonl, queries.jsonl, qrels/*.tsv."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from retrieval.errors import UsageError


@dataclass(frozen=True, slots=True)
class Beir:
    """A set: (id, text) of documents, title before text, and of the questions that are judged; their judgements."""

    name: str
    documents: list[tuple[str, str]]
    queries: list[tuple[str, str]]
    judgements: dict[str, dict[str, int]]


def load_beir(folder: Path, most: int | None = None) -> Beir:
    """Load a set, with at most `most` documents: the first ones, and questions that are judged on those.

    Raises:
        UsageError: the folder holds no such set.
    """
    try:
        corpus = [json.loads(line) for line in (folder / "corpus.jsonl").open(encoding="utf-8")]
        questions = [json.loads(line) for line in (folder / "queries.jsonl").open(encoding="utf-8")]
        files = sorted((folder / "qrels").glob("*.tsv"))
        judged = _judgements(next((file for file in files if file.stem == "test"), files[0]))
    except (OSError, IndexError, ValueError) as error:
        raise UsageError(f"{folder} is no retrieval set that can be read: {error}") from error
    documents = [(row["_id"], f"{row.get('title') or ''}\n{row['text']}".strip()) for row in corpus[:most]]
    present = {name for name, _ in documents}
    kept = {query: found for query, found in judged.items() if present.issuperset(found)}
    queries = [(row["_id"], row["text"]) for row in questions if row["_id"] in kept]
    return Beir(folder.name, documents, queries, kept)


def _judgements(file: Path) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for line in file.read_text("utf-8").splitlines()[1:]:
        query, document, grade = line.split("\t")
        if int(grade) > 0:
            found.setdefault(query, {})[document] = int(grade)
    return found


def ndcg_at_10(ranking: Sequence[str], relevant: Mapping[str, int]) -> float:
    """Return the normalised discounted cumulative gain of the first ten (Järvelin and Kekäläinen, 2002)."""
    gain = sum(relevant.get(name, 0) / math.log2(place + 2) for place, name in enumerate(ranking[:10]))
    ideal = sorted(relevant.values(), reverse=True)[:10]
    return gain / sum(grade / math.log2(place + 2) for place, grade in enumerate(ideal))
