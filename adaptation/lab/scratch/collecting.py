"""The texts of files: by the readers of documents, one text a file; of JSON Lines one a record."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ingest.blocks import Block, ReadError
from ingest.discover import discover
from ingest.language import text_language
from ingest.readers import read_file
from retrieval.errors import UsageError

_RECORDS = (".jsonl", ".ndjson")


@dataclass(frozen=True, slots=True)
class Text:
    """A text to learn from: the name of where it comes from, and its language by its script."""

    name: str
    text: str
    language: str


def collect(sources: Sequence[Path], say: Callable[[str], None]) -> list[Text]:
    """Read all texts of files and folders; what cannot be read is told and left out.

    Raises:
        UsageError: nothing is named, is missing, or holds a text.
    """
    texts: list[Text] = []
    for file in discover(sources).files:
        try:
            texts += _texts_of(file.path, file.name)
        except (ReadError, OSError) as error:
            say(f"{file.shown} is left out: {error}")
    if not texts:
        raise UsageError("no text was found in the sources: name files or folders that hold some")
    return texts


def texts_from(pairs: Iterable[tuple[str, str]]) -> list[Text]:
    """Return texts of (name, text)."""
    return [Text(name, text, text_language(text)) for name, text in pairs if text.strip()]


def _texts_of(path: Path, name: str) -> list[Text]:
    if path.suffix.lower() in _RECORDS:
        return texts_from(_records(path, name))
    return texts_from([(name, _joined(read_file(path).blocks))])


def _records(path: Path, name: str) -> Iterator[tuple[str, str]]:
    """Yield the records of JSON Lines that have a `text`, with their `title` above it; other lines are passed over."""
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, start=1):
            try:
                held = json.loads(line)
            except ValueError:
                continue
            if isinstance(held, dict) and isinstance(held.get("text"), str):
                title = str(held.get("title") or "").strip()
                text = f"{title}\n\n{held['text']}" if title else held["text"]
                yield f"{name}#{held.get('_id', number)}", text


def _joined(blocks: Sequence[Block]) -> str:
    """Return the blocks of a document as one text; what a page break cut off is put together again."""
    text = ""
    for block in blocks:
        if not text:
            text = block.text
        elif block.continues:
            text += ("" if text_language(block.text) == "ja" else " ") + block.text
        else:
            text += f"\n\n{block.text}"
    return text
