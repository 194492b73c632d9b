"""Word documents: paragraphs, headings, lists, tables, content controls and text boxes in document order."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

from ingest.blocks import NO_OPTIONS, Block, BlockKind, Outcome, ReadError, ReadOptions, ReadResult
from ingest.readers.tables import markdown_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from docx.document import Document

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_VALUE = f"{_W}val"
# The reading of furigana, deleted text, field codes, the second copy of a drawing, and what is in text
# boxes (which are blocks of their own).
_NOT_TEXT = frozenset(
    {f"{_W}rt", f"{_W}del", f"{_W}moveFrom", f"{_W}instrText", f"{_W}txbxContent", _FALLBACK}
)
_HEADING_NAME = re.compile(r"(?:heading|見出し|überschrift|titre)\s*(\d)", re.IGNORECASE)


def read(data: bytes, options: ReadOptions = NO_OPTIONS) -> ReadResult:
    """Read a Word document (.docx).

    Raises:
        ReadError: FAILED for a damaged file, EMPTY for one without text.
    """
    import docx

    try:
        document = docx.Document(io.BytesIO(data))
        blocks = [block for block in _document_blocks(document) if block.text.strip()]
        title = (document.core_properties.title or "").strip()
    except Exception as error:  # python-docx lets zipfile, lxml and its own errors through
        raise ReadError(Outcome.FAILED, f"damaged Word file: {type(error).__name__}") from error
    if not blocks:
        raise ReadError(Outcome.EMPTY, "no text in the document")
    return ReadResult(blocks, "docx", title=title or None)


def _document_blocks(document: Document) -> Iterator[Block]:
    walker = _Body(_Styles(document), _list_formats(document))
    yield from walker.blocks(document.element.body)
    for section in document.sections:
        for part in (section.header, section.footer):
            # Running heads repeat on every page and say little; a text box up there is meant to be read.
            if not part.is_linked_to_previous:
                for box in _outermost(part._element, f"{_W}txbxContent"):
                    yield from walker.blocks(box)
    for relation in document.part.rels.values():
        if relation.reltype.endswith(("/footnotes", "/endnotes")):
            from docx.oxml import parse_xml

            for note in parse_xml(relation.target_part.blob):
                if note.get(f"{_W}type") is None:
                    yield from walker.blocks(note)


class _Styles:
    """What the styles of a document mean: the level of headings and which are lists."""

    def __init__(self, document: Document) -> None:
        self._styles: dict[str, Any] = {
            style.get(f"{_W}styleId"): style for style in document.styles.element.findall(f"{_W}style")
        }

    def heading_level(self, style_id: str | None) -> int:
        for style in self._chain(style_id):
            level = style.find(f"{_W}pPr/{_W}outlineLvl")
            if level is not None:
                return _outline(level)
            name = _value(style.find(f"{_W}name")) or ""
            if match := _HEADING_NAME.fullmatch(name.strip()):
                return int(match.group(1))
            if name.lower() in ("title", "表題"):
                return 1
        return 0

    def is_contents(self, style_id: str | None) -> bool:
        """Tell whether a style is that of a table of contents, which repeats the headings."""
        style = self._styles.get(style_id or "")
        return style is not None and (_value(style.find(f"{_W}name")) or "").lower().startswith("toc ")

    def numbering(self, style_id: str | None) -> Any:
        for style in self._chain(style_id):
            found = style.find(f"{_W}pPr/{_W}numPr")
            if found is not None:
                return found
        return None

    def _chain(self, style_id: str | None) -> Iterator[Any]:
        seen: set[str] = set()
        while style_id and style_id not in seen and style_id in self._styles:
            seen.add(style_id)
            style = self._styles[style_id]
            yield style
            style_id = _value(style.find(f"{_W}basedOn"))


class _Body:
    """Turns the elements of a body, a cell or a text box into blocks."""

    def __init__(self, styles: _Styles, formats: dict[tuple[str, str], str]) -> None:
        self._styles = styles
        self._formats = formats
        self._counts: dict[tuple[str, str], int] = {}

    def blocks(self, parent: Iterable[Any]) -> Iterator[Block]:
        for element in parent:
            if element.tag == f"{_W}p":
                if not self._styles.is_contents(_value(element.find(f"{_W}pPr/{_W}pStyle"))):
                    yield self._paragraph(element)
                for box in _outermost(element, f"{_W}txbxContent"):
                    yield from self.blocks(box)
            elif element.tag == f"{_W}tbl":
                yield from self._table(element)
            elif element.tag == f"{_W}sdt":
                content = element.find(f"{_W}sdtContent")
                if content is not None:
                    yield from self.blocks(content)
            elif element.tag in (f"{_W}ins", f"{_W}smartTag", f"{_W}customXml", f"{_W}moveTo"):
                yield from self.blocks(element)

    def _paragraph(self, element: Any) -> Block:
        text = _text(element).strip()
        style = _value(element.find(f"{_W}pPr/{_W}pStyle"))
        own = element.find(f"{_W}pPr/{_W}outlineLvl")
        level = _outline(own) if own is not None else self._styles.heading_level(style)
        if level and len(text) <= 200:
            return Block(" ".join(text.split()), BlockKind.HEADING, level=min(level, 6))
        numbering = element.find(f"{_W}pPr/{_W}numPr")
        if numbering is None:
            numbering = self._styles.numbering(style)
        marker = self._marker(numbering) if numbering is not None and text else ""
        return Block(marker + text, BlockKind.LIST_ITEM if marker else BlockKind.PARAGRAPH)

    def _marker(self, numbering: Any) -> str:
        number = _value(numbering.find(f"{_W}numId")) or "0"
        level = _value(numbering.find(f"{_W}ilvl")) or "0"
        if number == "0":
            return ""
        indent = "  " * min(int(level) if level.isdigit() else 0, 8)
        if self._formats.get((number, level), "bullet") in ("bullet", "none"):
            return f"{indent}- "
        self._counts[number, level] = count = self._counts.get((number, level), 0) + 1
        for deeper in [key for key in self._counts if key[0] == number and key[1] > level]:
            del self._counts[deeper]
        return f"{indent}{count}. "

    def _table(self, element: Any) -> Iterator[Block]:
        rows = [list(_parts(row, f"{_W}tc")) for row in _parts(element, f"{_W}tr")]
        if len(rows) == 1 and len(rows[0]) == 1:
            # A frame around text, not a table.
            yield from self.blocks(rows[0][0])
            return
        grid: list[list[str]] = []
        for row in rows:
            cells: list[str] = []
            for cell in row:
                text = " ".join(block.text for block in self.blocks(cell))
                merged = cell.find(f"{_W}tcPr/{_W}vMerge")
                if (
                    merged is not None
                    and merged.get(_VALUE) != "restart"
                    and grid
                    and len(cells) < len(grid[-1])
                ):
                    text = grid[-1][len(cells)]
                span = _value(cell.find(f"{_W}tcPr/{_W}gridSpan")) or "1"
                cells += [text, *[""] * (min(int(span), 64) - 1)]
            grid.append(cells)
        yield Block(markdown_table(grid), BlockKind.TABLE)


def _text(element: Any) -> str:
    """Return the text of a paragraph as it is read: no field codes, no deletions, no furigana."""
    pieces: list[str] = []
    for child in element:
        if child.tag in _NOT_TEXT:
            continue
        if child.tag == f"{_W}t":
            pieces.append(child.text or "")
        elif child.tag in (f"{_W}tab", f"{_W}ptab"):
            # The tab stops of a paragraph's properties carry the same name.
            pieces.append("\t" if element.tag == f"{_W}r" else "")
        elif child.tag in (f"{_W}br", f"{_W}cr"):
            pieces.append("\n")
        elif child.tag == f"{_W}noBreakHyphen":
            pieces.append("-")
        else:
            pieces.append(_text(child))
    return "".join(pieces)


def _outermost(element: Any, tag: str) -> Iterator[Any]:
    """Yield the highest descendants with a tag, each drawing once."""
    for child in element:
        if child.tag == _FALLBACK:
            continue
        if child.tag == tag:
            yield child
        elif child.tag != f"{_W}tbl":
            yield from _outermost(child, tag)


def _parts(element: Any, tag: str) -> Iterator[Any]:
    """Yield rows of a table or cells of a row, also those inside content controls."""
    for child in element:
        if child.tag == tag:
            yield child
        elif child.tag in (f"{_W}sdt", f"{_W}sdtContent", f"{_W}ins", f"{_W}customXml"):
            yield from _parts(child, tag)


def _value(element: Any) -> str | None:
    found = None if element is None else element.get(_VALUE)
    return None if found is None else str(found)


def _outline(element: Any) -> int:
    value = _value(element) or ""
    # 9 is body text.
    return int(value) + 1 if value.isdigit() and int(value) < 9 else 0


def _list_formats(document: Document) -> dict[tuple[str, str], str]:
    """Return the number format of each (list, level)."""
    try:
        numbering = document.part.numbering_part.element
    except (KeyError, NotImplementedError, AttributeError):
        return {}
    abstract = {
        item.get(f"{_W}abstractNumId"): {
            level.get(f"{_W}ilvl"): _value(level.find(f"{_W}numFmt")) or "decimal"
            for level in item.findall(f"{_W}lvl")
        }
        for item in numbering.findall(f"{_W}abstractNum")
    }
    return {
        (number.get(f"{_W}numId"), level): style
        for number in numbering.findall(f"{_W}num")
        for level, style in abstract.get(_value(number.find(f"{_W}abstractNumId")), {}).items()
    }
