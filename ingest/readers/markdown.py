"""Markdown: headings, paragraphs, lists, tables and fences, and the front matter's title and language."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ingest.blocks import NO_OPTIONS, Block, BlockKind, Outcome, ReadError, ReadOptions, ReadResult
from ingest.decode import decode_text, is_binary
from ingest.lines import join_lines
from ingest.readers.tables import markdown_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markdown_it.token import Token

_FRONT_MATTER = re.compile(r"---[ \t]*\n(?P<yaml>.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|$)", re.DOTALL)
_PLAIN_PAIR = re.compile(r"([\w-]+):(.*)")
# CommonMark wants a space after the marks; many Japanese documents are written without it.
_TIGHT_HEADING = re.compile(r"^(#{2,6}(?=[^#\s!])|#(?=[^\x00-\x7f]))", re.MULTILINE)
_TAG = re.compile(r"<!--.*?-->|<[^>]+>", re.DOTALL)


def read(data: bytes, options: ReadOptions = NO_OPTIONS) -> ReadResult:
    """Read a Markdown file.

    Raises:
        ReadError: UNSUPPORTED for a binary file, EMPTY for one without text.
    """
    decoded = decode_text(data)
    if is_binary(decoded.text):
        raise ReadError(Outcome.UNSUPPORTED, "a binary file, not Markdown")
    body, title, language, warnings = _front_matter(decoded.text)
    blocks = markdown_blocks(body)
    if not blocks:
        raise ReadError(Outcome.EMPTY, "no text in the file")
    return ReadResult(
        blocks,
        "markdown",
        title=title,
        language=language,
        encoding=decoded.encoding,
        warnings=decoded.warnings + warnings,
    )


def markdown_blocks(text: str) -> list[Block]:
    """Parse Markdown into blocks; the text of a block is its source without marks of emphasis removed."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    tokens = parser.parse(_tight_headings(text))
    blocks = list(_blocks(tokens))
    return [block for block in blocks if block.text.strip()]


def _tight_headings(text: str) -> str:
    """Put the space after `##` that CommonMark asks for, outside of fences."""
    parts = re.split(r"(^(?:```|~~~).*?^(?:```|~~~)[ \t]*$)", text, flags=re.MULTILINE | re.DOTALL)
    return "".join(
        part if index % 2 else _TIGHT_HEADING.sub(r"\1 ", part) for index, part in enumerate(parts)
    )


def _front_matter(text: str) -> tuple[str, str | None, str | None, list[str]]:
    match = _FRONT_MATTER.match(text)
    if match is None:
        return text, None, None, []
    import yaml

    try:
        values: Any = yaml.safe_load(match.group("yaml"))
    except yaml.YAMLError:
        # `title: Power failure: what to do` is no YAML, but plain enough.
        lines = [_PLAIN_PAIR.fullmatch(line) for line in match.group("yaml").split("\n") if line.strip()]
        if None in lines:
            return text, None, None, ["the front matter is no YAML and was read as text"]
        values = {pair.group(1): pair.group(2).strip() for pair in lines if pair}
    if not isinstance(values, dict):
        return text, None, None, []
    title = values.get("title")
    language = values.get("language", values.get("lang"))
    return (
        text[match.end() :],
        str(title).strip() or None if title is not None else None,
        str(language).lower()[:2] or None if language is not None else None,
        [],
    )


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
            info = token.info.strip()
            body = token.content.rstrip("\n")
            yield Block(f"```{info}\n{body}\n```" if kind == "fence" else body, BlockKind.CODE)
        elif kind == "html_block":
            yield Block(join_lines(_TAG.sub(" ", token.content).split("\n")))


def _inline(token: Token) -> str:
    """Return the words of a paragraph: no link targets, no marks of emphasis, code in its back ticks."""
    pieces: list[str] = [""]
    for child in token.children or []:
        if child.type == "softbreak":
            pieces.append("")
        elif child.type == "hardbreak":
            pieces[-1] += "\n"
        elif child.type == "code_inline":
            pieces[-1] += f"`{child.content}`"
        elif child.type in ("text", "image", "text_special"):
            pieces[-1] += child.content
        elif child.type == "html_inline" and child.content.lower().startswith("<br"):
            pieces[-1] += "\n"
    lines = "\n".join([join_lines(pieces)]) if not any("\n" in piece for piece in pieces) else ""
    if lines:
        return lines
    # A hard break is meant: the lines around it stay apart.
    whole = "\x00".join(pieces)
    return "\n".join(join_lines(part.split("\x00")) for part in whole.split("\n")).strip()
