"""HTML: the article of a page with its headings, lists, tables and code, without what surrounds it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ingest.blocks import NO_OPTIONS, Block, BlockKind, Outcome, ReadError, ReadOptions, ReadResult
from ingest.decode import decode_text, is_binary
from ingest.lines import is_cjk
from ingest.readers.tables import markdown_table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bs4 import BeautifulSoup, Tag
    from bs4.element import PageElement

_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]+)", re.IGNORECASE)
_DROPPED = re.compile(
    "script|style|template|noscript|nav|aside|footer|form|button|select|svg|iframe|object|canvas|rt|rp|head"
)
_DROPPED_ROLES = re.compile(
    "navigation|banner|contentinfo|search|complementary|menu|menubar|dialog", re.IGNORECASE
)
_AROUND = re.compile(
    r"(?:^|[-_ ])(?:nav|navbar|navbox|navigation|menus?|sidebar|breadcrumbs?|cookies?|toc|skip|jump|"
    r"editsection|pagination|pager|share|social|noprint|catlinks|hatnote)(?:$|[-_ ])",
    re.IGNORECASE,
)
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_BLOCK_TAGS = re.compile(
    "p|div|section|article|main|header|blockquote|figure|figcaption|address|details|summary|fieldset|dl|dt|dd|"
    "ul|ol|body|html|center|hgroup|caption"
)
_SPACE = re.compile(r"[ \t\r\n\f\xa0]+")


def read(data: bytes, options: ReadOptions = NO_OPTIONS) -> ReadResult:
    """Read an HTML file.

    Raises:
        ReadError: UNSUPPORTED for a binary file, EMPTY for a page without text, FAILED for one that is
            nested too deeply.
    """
    from bs4 import BeautifulSoup

    charset = _CHARSET.search(data[:4096])
    decoded = decode_text(data, charset.group(1).decode("ascii") if charset else None)
    if is_binary(decoded.text):
        raise ReadError(Outcome.UNSUPPORTED, "a binary file, not HTML")
    soup = BeautifulSoup(decoded.text, "lxml")
    title = _squeeze(soup.title.get_text()) if soup.title else ""
    html = soup.find("html")
    language = str(html.get("lang") or "")[:2].lower() if html else ""
    try:
        blocks = html_blocks(soup)
    except RecursionError as error:
        raise ReadError(Outcome.FAILED, "its elements are nested too deeply") from error
    if not blocks:
        raise ReadError(Outcome.EMPTY, "no text on the page")
    return ReadResult(
        blocks, "html", title=title or None, language=language or None, encoding=decoded.encoding
    )


def html_blocks(soup: BeautifulSoup) -> list[Block]:
    """Return the blocks of a page's main part. The tree is changed: what is left out is taken off it."""
    _take_away(soup)
    walker = _Walker()
    walker.walk(_main_part(soup))
    walker.flush()
    return walker.blocks


def _take_away(soup: BeautifulSoup) -> None:
    from bs4 import Comment

    for comment in soup.find_all(string=lambda text: isinstance(text, Comment)):
        comment.extract()
    for tag in soup.find_all(lambda tag: _DROPPED.fullmatch(tag.name) is not None):
        tag.decompose()
    whole = len(soup.get_text())
    waiting: list[Tag] = [soup]
    while waiting:
        for tag in waiting.pop().find_all(True, recursive=False):
            page = tag.name in ("html", "body", "main", "article")
            # A wrapper that happens to be called "menu" and holds the article is no menu.
            if not page and _is_around(tag) and 2 * len(tag.get_text()) < whole:
                tag.decompose()
            else:
                waiting.append(tag)


def _is_around(tag: Tag) -> bool:
    if tag.has_attr("hidden") or str(tag.get("aria-hidden", "")).lower() == "true":
        return True
    if _HIDDEN.search(str(tag.get("style", ""))):
        return True
    if _DROPPED_ROLES.fullmatch(str(tag.get("role", ""))):
        return True
    if tag.name == "header":
        return tag.find_parent(["main", "article", "section"]) is None and tag.find(["h1", "p"]) is None
    names = tag.get("class")
    label = " ".join(names) if isinstance(names, list) else str(names or "")
    return bool(_AROUND.search(f"{label} {tag.get('id') or ''}"))


def _main_part(soup: BeautifulSoup) -> Tag:
    whole = len(soup.get_text(strip=True))
    for found in (soup.find_all("main"), soup.find_all(role="main"), soup.find_all("article")):
        if len(found) == 1 and len(found[0].get_text(strip=True)) >= 0.3 * whole:
            return found[0]
    return soup.body or soup


def _squeeze(text: str) -> str:
    """Make runs of white space one space, or none at a line end between Japanese characters."""

    def one(match: re.Match[str]) -> str:
        before, after = text[match.start() - 1 : match.start()], text[match.end() : match.end() + 1]
        wide = before and after and is_cjk(before) and is_cjk(after) and "\n" in match.group()
        return "" if wide else " "

    return _SPACE.sub(one, text).strip()


class _Walker:
    """Goes through the tree and gathers inline text until a block begins or ends."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self._pending: list[str] = []
        self._lists: list[int | None] = []
        self._marker = ""

    def walk(self, node: Tag) -> None:
        for child in node.children:
            self._visit(child)

    def flush(self) -> None:
        text = "\n".join(
            line for line in (_squeeze(part) for part in "".join(self._pending).split("\x00")) if line
        )
        self._pending.clear()
        if not text:
            return
        if self._lists:
            self.blocks.append(Block(self._marker + text, BlockKind.LIST_ITEM))
            self._marker = " " * len(self._marker)
        else:
            self.blocks.append(Block(text))

    def _visit(self, child: PageElement) -> None:
        from bs4 import Tag
        from bs4.element import NavigableString

        if isinstance(child, NavigableString):
            self._pending.append(str(child).replace("\x00", ""))
        elif isinstance(child, Tag):
            self._visit_tag(child)

    def _visit_tag(self, tag: Tag) -> None:
        name = tag.name
        if name == "br":
            self._pending.append("\x00")
        elif name in ("h1", "h2", "h3", "h4", "h5", "h6"):
            self.flush()
            text = _squeeze(tag.get_text(" ") if tag.find("br") else tag.get_text())
            if text:
                self.blocks.append(Block(text, BlockKind.HEADING, level=int(name[1])))
        elif name == "pre":
            self.flush()
            code = tag.get_text().strip("\n").rstrip()
            if code.strip():
                self.blocks.append(Block(f"```\n{code}\n```", BlockKind.CODE))
        elif name == "table":
            self.flush()
            self._table(tag)
        elif name in ("ul", "ol"):
            self.flush()
            self._lists.append(0 if name == "ol" else None)
            self.walk(tag)
            self.flush()
            self._lists.pop()
        elif name == "li":
            self._item(tag)
        elif _BLOCK_TAGS.fullmatch(name):
            self.flush()
            self.walk(tag)
            self.flush()
        else:
            self.walk(tag)

    def _item(self, tag: Tag) -> None:
        self.flush()
        if not self._lists:
            self._lists.append(None)
            self.walk(tag)
            self.flush()
            self._lists.pop()
            return
        number = self._lists[-1]
        if number is not None:
            self._lists[-1] = number + 1
        self._marker = "  " * (len(self._lists) - 1) + ("- " if number is None else f"{number + 1}. ")
        self.walk(tag)
        self.flush()

    def _table(self, tag: Tag) -> None:
        rows = [
            [_squeeze(cell.get_text(" ")) for cell in row.find_all(["td", "th"], recursive=False)]
            for row in tag.find_all("tr")
            if row.find_parent("table") is tag
        ]
        if tag.get("role") == "presentation" or max((len(row) for row in rows), default=0) <= 1:
            # Only there to place things on the page.
            for cell in _own_cells(tag):
                self.walk(cell)
                self.flush()
            return
        caption = tag.find("caption")
        if (
            caption is not None
            and caption.find_parent("table") is tag
            and (text := _squeeze(caption.get_text()))
        ):
            self.blocks.append(Block(text))
        if table := markdown_table(rows):
            self.blocks.append(Block(table, BlockKind.TABLE))


def _own_cells(table: Tag) -> Iterable[Tag]:
    return [cell for cell in table.find_all(["td", "th", "caption"]) if cell.find_parent("table") is table]
