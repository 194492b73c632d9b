"""Markdown: headings, paragraphs, lists, tables, fences and HTML, and what the front matter says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ingest.blocks import NO_OPTIONS, Block, BlockKind, Outcome, ReadError, ReadOptions, ReadResult
from ingest.decode import decode_text, is_binary
from ingest.lines import join_lines
from ingest.readers.front_matter import take_front_matter
from ingest.readers.markdown_source import as_commonmark
from ingest.readers.tables import markdown_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markdown_it.token import Token

_NOT_READ = frozenset(("rt", "rp", "script", "style"))


def read(data: bytes, options: ReadOptions = NO_OPTIONS) -> ReadResult:
    """Read a Markdown file.

    Raises:
        ReadError: UNSUPPORTED for a binary file, EMPTY for one without text.
    """
    decoded = decode_text(data)
    if is_binary(decoded.text):
        raise ReadError(Outcome.UNSUPPORTED, "a binary file, not Markdown")
    front, body = take_front_matter(decoded.text)
    blocks = markdown_blocks(body)
    if not blocks:
        raise ReadError(Outcome.EMPTY, "no text in the file")
    return ReadResult(
        blocks,
        "markdown",
        title=front.title,
        language=front.language,
        encoding=decoded.encoding,
        warnings=decoded.warnings + ([front.warning] if front.warning else []),
        created=front.created,
        modified=front.modified,
        authors=front.authors,
        tags=front.tags,
    )


def markdown_blocks(text: str) -> list[Block]:
    """Parse Markdown into blocks. Marks of emphasis, targets of links and pictures are left out."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    # Nothing is fetched or shown here: a picture kept within the text is a picture, not text.
    parser.validateLink = _any_link  # type: ignore[method-assign]
    try:
        tokens = parser.parse(as_commonmark(text))
    except RecursionError as error:
        raise ReadError(Outcome.FAILED, "its elements are nested too deeply") from error
    return [block for block in _blocks(tokens) if block.text.strip()]


def _any_link(url: str) -> bool:
    return True


def _blocks(tokens: list[Token]) -> Iterator[Block]:
    lists: list[tuple[str, int]] = []
    marker = ""
    rows: list[list[str]] = []
    level = 0
    for token in tokens:
        kind = token.type
        if kind in ("bullet_list_open", "ordered_list_open"):
            first = token.attrGet("start")
            lists.append((kind, int(first) if isinstance(first, int) else 1))
        elif kind in ("bullet_list_close", "ordered_list_close"):
            lists.pop()
        elif kind == "list_item_open":
            ordered = lists[-1][0] == "ordered_list_open"
            marker = "  " * (len(lists) - 1) + (f"{token.info or lists[-1][1]}. " if ordered else "- ")
        elif kind == "list_item_close":
            marker = ""
        elif kind == "heading_open":
            level = int(token.tag[1])
        elif kind == "heading_close":
            level = 0
        elif kind == "table_open":
            rows = []
        elif kind == "tr_open":
            rows.append([])
        elif kind == "table_close":
            yield Block(markdown_table(rows), BlockKind.TABLE)
            rows = []
        elif kind == "inline":
            text = _inline(token)
            if rows:
                rows[-1].append(text)
            elif level:
                yield Block(text, BlockKind.HEADING, level=level)
            elif lists:
                yield Block(marker + text, BlockKind.LIST_ITEM)
                marker = " " * len(marker)
            else:
                yield Block(text)
        elif kind in ("fence", "code_block"):
            body, mark = token.content.rstrip("\n"), token.markup
            yield Block(
                f"{mark}{token.info.strip()}\n{body}\n{mark}" if kind == "fence" else body, BlockKind.CODE
            )
        elif kind == "html_block":
            yield from _html(token.content)


def _html(source: str) -> list[Block]:
    from bs4 import BeautifulSoup

    from ingest.readers.html_blocks import blocks_of
    from ingest.readers.html_hidden import take_hidden

    soup = BeautifulSoup(source, "lxml")
    take_hidden(soup)
    for tag in soup.find_all(list(_NOT_READ)):
        tag.decompose()
    return blocks_of(soup)


def _is_hidden(tag: str) -> bool:
    """Tell whether an opening tag within a line hides what it holds."""
    from ingest.readers.html_hidden import hides

    if re.match(r"<\s*(?:img|br|hr|input|wbr)\b", tag, re.IGNORECASE):
        return False
    style = re.search(r"""style\s*=\s*(?:"([^"]*)"|'([^']*)')""", tag, re.IGNORECASE)
    return (style is not None and hides(style.group(1) or style.group(2))) or bool(
        re.search(r"\shidden\b", tag)
    )


def _inline(token: Token) -> str:
    """Return the words of a paragraph: no link targets, no marks of emphasis, code in its back ticks."""
    # Where the source breaks a line there are two pieces; a hard break also begins a new list of them.
    lines: list[list[str]] = [[""]]
    hidden = ""
    for child in token.children or []:
        tag = re.match(r"<(/?)([a-z0-9]+)", child.content.lower()) if child.type == "html_inline" else None
        if tag is not None and not hidden and (tag.group(2) in _NOT_READ or _is_hidden(child.content)):
            hidden = "" if tag.group(1) else tag.group(2)
        elif tag is not None and hidden and tag.group() == f"</{hidden}":
            hidden = ""
        elif hidden:
            continue
        elif child.type == "softbreak":
            lines[-1].append("")
        elif child.type == "hardbreak" or (tag is not None and tag.group(2) == "br"):
            lines.append([""])
        elif child.type == "code_inline":
            lines[-1][-1] += f"`{child.content}`"
        elif child.type in ("text", "image", "text_special"):
            lines[-1][-1] += child.content
    return "\n".join(joined for pieces in lines if (joined := join_lines(pieces)))
