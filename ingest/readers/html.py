"""HTML: the article of a page with its headings, lists, tables and code, without what surrounds it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ingest.blocks import NO_OPTIONS, Block, BlockKind, Outcome, ReadError, ReadOptions, ReadResult
from ingest.decode import decode_text, is_binary
from ingest.readers.html_blocks import blocks_of
from ingest.readers.html_hidden import take_hidden
from ingest.readers.html_main import is_wiki, main_part
from ingest.readers.html_meta import page_meta

if TYPE_CHECKING:
    from bs4 import BeautifulSoup

_CHARSET = re.compile(
    rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]+)"
    rb"|<\?xml[^>]{0,100}?encoding\s*=\s*[\"']([A-Za-z0-9_.:-]+)",
    re.IGNORECASE,
)


def read(data: bytes, options: ReadOptions = NO_OPTIONS) -> ReadResult:
    """Read an HTML file.

    Raises:
        ReadError: UNSUPPORTED for a binary file, EMPTY for a page without text, FAILED for one that is
            nested too deeply.
    """
    from bs4 import BeautifulSoup

    charset = _CHARSET.search(data[:4096])
    decoded = decode_text(data, (charset.group(1) or charset.group(2)).decode("ascii") if charset else None)
    if is_binary(decoded.text):
        raise ReadError(Outcome.UNSUPPORTED, "a binary file, not HTML")
    try:
        # A declaration of an encoding in a text that is decoded already would be believed by the parser.
        soup = BeautifulSoup(re.sub(r"^\s*<\?xml[^>]*\?>", "", decoded.text), "lxml")
        meta = page_meta(soup)
        hidden = take_hidden(soup)
        blocks = html_blocks(soup)
    except RecursionError as error:
        raise ReadError(Outcome.FAILED, "its elements are nested too deeply") from error
    if not blocks:
        raise ReadError(Outcome.EMPTY, "no text on the page")
    return ReadResult(
        blocks,
        "html",
        title=meta.title,
        language=meta.language,
        encoding=decoded.encoding,
        warnings=decoded.warnings,
        created=meta.created,
        modified=meta.modified,
        authors=meta.authors,
        tags=meta.tags,
        hidden=hidden,
    )


def html_blocks(soup: BeautifulSoup) -> list[Block]:
    """Return the blocks of a page's main part. The tree is changed: what is left out is taken off it."""
    wiki = is_wiki(soup)
    blocks = blocks_of(main_part(soup))
    return _without_bare_headings(blocks) if wiki else blocks


def _without_bare_headings(blocks: list[Block]) -> list[Block]:
    """Leave out headings with nothing below them: the lists of sources there were taken away."""
    kept: list[Block] = []
    after = 0
    for block in reversed(blocks):
        heading = block.kind is BlockKind.HEADING
        # `after` is the level of the heading that comes next, 0 at the end, 9 before any other text.
        if not (heading and after <= block.level):
            kept.append(block)
            after = block.level if heading else 9
    return kept[::-1]
