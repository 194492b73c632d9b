"""One file to what is embedded and stored of it. No index and no model: it runs in any process, on any machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from ingest.assemble import assemble
from ingest.blocks import Block, BlockKind, Outcome, ReadError, ReadOptions, ReadResult
from ingest.chunking import chunk_document
from ingest.context import CountTokens, embedding_texts
from ingest.discover import CHANGED, FileState
from ingest.language import text_language
from ingest.readers import read_file
from ingest.strategies import Chunking
from ingest.unseen import without_unseen
from retrieval.records import Chunk, SourceDocument, merged_tags
from retrieval.token_counter import encodable

READING = 5
"""Counts the changes of what readers give and what is kept of it. A document that an older one read is read anew."""


@dataclass(frozen=True, slots=True)
class Preparation:
    """How files are read and cut; small, and sent to every process that reads.

    `largest_file` is in bytes, `longest_text` in characters.
    """

    count_tokens: CountTokens
    chunking: Chunking
    options: ReadOptions
    largest_file: int
    longest_text: int

    @property
    def recipe(self) -> str:
        """Name what a document's chunks depend on, beside its content."""
        parts = ",".join(f"{key}={value}" for key, value in self.chunking.as_dict().items())
        return f"reading={READING},{parts}"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document ready to be embedded: `texts[i]` is what is embedded for `chunks[i]`."""

    document: SourceDocument
    chunks: list[Chunk]
    texts: list[str]
    pages: int | None


def prepare(path: Path, key: str, name: str, state: FileState, preparation: Preparation) -> Prepared:
    """Read a file and cut it.

    Args:
        path: the file.
        key: what identifies it in the index.
        name: its name for people.
        state: its content as it was hashed.
        preparation: how to read and cut it.

    Raises:
        ReadError: the file cannot be read, holds no text or too much, or changed since it was hashed.
    """
    if state.size > preparation.largest_file:
        raise ReadError(Outcome.FAILED, _too_much(f"{_mib(state.size)} MiB", preparation.largest_file))
    try:
        data = path.read_bytes()
        status = path.stat()
    except OSError as error:
        raise ReadError(Outcome.FAILED, f"cannot be opened: {error.strerror or error}") from error
    if (len(data), status.st_mtime_ns) != (state.size, state.mtime_ns):
        raise ReadError(Outcome.FAILED, CHANGED)
    result = read_file(path, data, preparation.options)
    del data
    length = sum(len(block.text) for block in result.blocks)
    if length > preparation.longest_text:
        raise ReadError(
            Outcome.FAILED,
            f"holds {length:,} characters of text, more than {preparation.longest_text:,}: split it, "
            "or raise max_characters in tekio.toml",
        )
    blocks, unseen = seen_blocks(result.blocks)
    assembled = assemble(blocks, result.pages)
    if not assembled.text.strip():
        raise ReadError(Outcome.EMPTY, "no text in the file")
    title = encodable(without_unseen(_title(name, result))[0])
    count = preparation.count_tokens
    chunks = chunk_document(assembled, count, chunking=preparation.chunking, title=title)
    texts = embedding_texts(chunks, title, count, preparation.chunking.max_tokens)
    document = SourceDocument(
        path=key,
        name=name,
        title=title,
        format=result.format,
        text=assembled.text,
        content_hash=state.digest,
        size=state.size,
        mtime_ns=state.mtime_ns,
        encoding=result.encoding,
        language=result.language or text_language(assembled.text),
        page_starts=assembled.page_starts,
        empty_pages=result.empty_pages,
        outcome=str(Outcome.PARTIAL if result.warnings or result.empty_pages else Outcome.OK),
        message=encodable(_summary([*result.warnings, *_hidden(result.hidden + unseen), *result.notes])),
        created=result.created,
        modified=result.modified or _time(state.mtime_ns),
        tags=_tags(result),
        engines=result.engines,
        recipe=preparation.recipe,
    )
    return Prepared(document, chunks, texts, result.pages)


def seen_blocks(blocks: Sequence[Block]) -> tuple[list[Block], int]:
    """Return blocks as they are kept, without characters that no reader sees, and how many of those say something."""
    kept, hidden = [], 0
    for block in blocks:
        text, unseen = without_unseen(block.text)
        hidden += unseen
        kept.append(replace(block, text=encodable(text)))
    return kept, hidden


def _hidden(characters: int) -> list[str]:
    return [f"hidden text left out: {characters:,} characters"] if characters else []


def _too_much(size: str, limit: int) -> str:
    return f"{size} is more than {_mib(limit)} MiB: split it, or raise max_file_mb in tekio.toml"


def _mib(size: int) -> int:
    return round(size / 2**20)


def _time(mtime_ns: int) -> str:
    return datetime.fromtimestamp(mtime_ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _tags(result: ReadResult) -> dict[str, tuple[str, ...]]:
    """Return the document's own tags, its authors among them."""
    author = {"author": result.authors} if result.authors else {}
    tags = merged_tags(result.tags, author)
    return {encodable(key): tuple(map(encodable, values)) for key, values in tags.items()}


def _title(name: str, result: ReadResult) -> str:
    if result.title:
        return result.title
    headings = (block.text for block in result.blocks if block.kind is BlockKind.HEADING and block.level == 1)
    return next((" ".join(text.split()) for text in headings), stem(name))


def stem(name: str) -> str:
    """Return the title of a document that says none: its file's name without the ending."""
    return Path(name).stem


def _summary(warnings: Sequence[str]) -> str:
    shown = "; ".join(warnings[:5])
    return f"{shown}; and {len(warnings) - 5} more" if len(warnings) > 5 else shown
