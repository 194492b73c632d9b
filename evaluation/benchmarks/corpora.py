"""Documents for benchmarks, made of public data sets: as many as are asked for, the same ones each time."""

from __future__ import annotations

import html
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

from retrieval.errors import UsageError

_SEED = 20261125
_PIECE = 1_100
"""Characters of a piece of a long paper."""


def write_documents(data: Path, target: Path, count: int) -> None:
    """Write documents as Markdown, HTML and text files, 100 a folder.

    Raises:
        UsageError: the data sets are not there, or give fewer documents.
    """
    texts = [*_records(data)]
    if len(texts) < count:
        raise UsageError(
            f"{data} gives {len(texts)} documents, not {count}: name the folder of the data sets"
        )
    random.Random(_SEED).shuffle(texts)  # noqa: S311 - the same order each time is what is wanted
    for number, (title, text) in enumerate(texts[:count]):
        folder = target / f"{number // 100:03d}"
        folder.mkdir(parents=True, exist_ok=True)
        name, content = _as_file(number, title, text)
        (folder / name).write_text(content, encoding="utf-8")


def _as_file(number: int, title: str, text: str) -> tuple[str, str]:
    if number % 5 == 3:
        body = f"<title>{html.escape(title)}</title><h1>{html.escape(title)}</h1><p>{html.escape(text)}</p>"
        return f"{number:05d}.html", f'<!doctype html><meta charset="utf-8">{body}'
    if number % 5 == 4:
        return f"{number:05d}.txt", f"{title}\n\n{text}\n"
    return f"{number:05d}.md", f"# {title}\n\n{text}\n"


def _records(data: Path) -> Iterator[tuple[str, str]]:
    for name in ("scifact", "jsquad", "xquad_en"):
        for row in _rows(data / name / "corpus.jsonl"):
            yield row["title"] or row["text"][:40], row["text"]
    for row in _rows(data / "covid_qa" / "corpus.jsonl"):
        paragraphs = re.findall(rf".{{1,{_PIECE}}}(?:\s|$)", row["text"], re.S)
        for part, text in enumerate(paragraphs, start=1):
            yield f"{row['title'] or row['_id']}, part {part}", text.strip()
    for row in _rows(data / "medquad" / "train.jsonl"):
        yield str(row["question"]), str(row["answer"])


def _rows(path: Path) -> Iterator[dict[str, str]]:
    try:
        with path.open(encoding="utf-8") as file:
            for line in file:
                yield json.loads(line)
    except OSError as error:
        raise UsageError(f"the data set {path} cannot be read: {error.strerror or error}") from error
