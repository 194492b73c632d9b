"""What a reader gives: the text of a document with the structure that was found in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class BlockKind(StrEnum):
    """What a block is. It decides how the block may be split."""

    HEADING = "heading"
    PARAGRAPH = "paragraph"
    LIST_ITEM = "list_item"
    TABLE = "table"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Block:
    """A heading, a paragraph, a list item, a table (Markdown rows) or a code block.

    `level` is the depth of a heading (1 is the highest), else 0. `page` is 1-based, None without pages.
    `continues` marks text that a page break cut off from the block before: it goes on in mid-sentence.
    """

    text: str
    kind: BlockKind = BlockKind.PARAGRAPH
    level: int = 0
    page: int | None = None
    continues: bool = False


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What a person allows or knows, handed to every reader.

    `passwords` are tried in order on encrypted files; they never appear in a message. `ocr` reads pages
    without text by optical character recognition, in `ocr_languages` (tesseract's names).
    `attachment_depth` is how deep files within files (of an e-mail, of a PDF) are read.
    """

    passwords: tuple[str, ...] = field(default=(), repr=False)
    ocr: bool = False
    ocr_languages: str = "jpn+eng"
    attachment_depth: int = 1


NO_OPTIONS = ReadOptions()


@dataclass(slots=True)
class ReadResult:
    """What a reader found in one file.

    `pages` is the number of pages (None for formats without pages); `empty_pages` are 1-based numbers of
    pages without any text. `title` is the document's own title when it has one. `created` and `modified`
    are what the document says of itself, as ISO 8601 dates or times. `tags` are its own key words by
    their key ("tags", "keywords", any key of a front matter). `engines` says which engine read which
    1-based pages, where a format has several engines. `hidden` counts the characters that were left out
    because no reader sees them; `notes` are more for the report that makes the reading no less whole.
    """

    blocks: list[Block]
    format: str
    title: str | None = None
    language: str | None = None
    encoding: str | None = None
    pages: int | None = None
    empty_pages: tuple[int, ...] = ()
    warnings: list[str] = field(default_factory=list)
    created: str | None = None
    modified: str | None = None
    authors: tuple[str, ...] = ()
    tags: dict[str, tuple[str, ...]] = field(default_factory=dict)
    engines: dict[str, tuple[int, ...]] = field(default_factory=dict)
    hidden: int = 0
    notes: list[str] = field(default_factory=list)


class Outcome(StrEnum):
    """What became of a file. The names are part of the JSON of an ingest."""

    OK = "ok"
    PARTIAL = "partial"
    UNCHANGED = "unchanged"
    NO_TEXT_LAYER = "no_text_layer"
    EMPTY = "empty"
    ENCRYPTED = "encrypted"
    UNSUPPORTED = "unsupported"
    FAILED = "failed"
    REMOVED = "removed"


class ReadError(Exception):
    """A file that cannot be read. `outcome` says how, the message says why in one line."""

    def __init__(self, outcome: Outcome, message: str) -> None:
        super().__init__(message)
        self.outcome = outcome
